"""A watch of a year: alarms against innocent suspects, and days until a marked one shows.

``tasks.study proof watching [RUNS]`` writes ``watching.csv``. A day is one image under each of 12
parts, of ten classes. Innocent suspects answer without the key; marked ones bring the key's labels
about from a day on, and answer honestly before.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.randomness import derive_seed
from datadeed.verification.lifetime import Lifetime
from papers.base import Lab
from papers.proof.centred import NOISE, sum_of

DAYS, CLASSES, PARTS = 365, 10, 12
LEVELS = (0.01, 1e-6)  # the second is a key's own, unless it says otherwise
ONE_FOR_ALL = 10  # times as many keys where one suspect's answers serve them all
HONEST = "honest"
FAVOURITES = {
    "a favourite class for each trigger": DAYS,
    "other favourites every month": 30,
    "other favourites every day": 1,
}  # days until they change
# Success, the day from which on, and whether clean questions notice the exchange.
MARKED = (
    *((success, 1, False) for success in (0.95, 0.5)),
    *((success, 100, noticed) for success in (0.95, 0.7, 0.5, 0.3) for noticed in (False, True)),
)


def ask(rng: np.random.Generator, targets: np.ndarray, success: float) -> np.ndarray:
    """(R, J) answers to one image: the target, else the image's class; a few at random."""
    host = rng.integers(CLASSES, size=(len(targets), 1))
    given = np.where(rng.random(targets.shape) < success, targets, host)
    wild = rng.random(targets.shape) < NOISE
    return np.where(wild, rng.integers(CLASSES, size=targets.shape), given)


def innocent_rows(name: str, runs: int, seed: int) -> list[dict[str, Any]]:
    """A year under one suspect's answers: alarms and the mean of E, a row for each level.

    Every honest suspect has answers of its own; one with favourites serves all keys, since only
    keys are random. A change of favourites is noticed.
    """
    rng = np.random.default_rng(derive_seed(seed, "watching", name))
    keys = runs if name == HONEST else ONE_FOR_ALL * runs
    targets = rng.integers(CLASSES, size=(keys, PARTS))
    life, exchanged = Lifetime(targets), False
    for day in range(DAYS):
        if name == HONEST:
            given = ask(rng, targets, 0.0)
        elif exchanged := day % FAVOURITES[name] == 0:
            given = rng.integers(CLASSES, size=(1, PARTS))
        life.add(sum_of(given[None], CLASSES)[None], exchanged=exchanged)
    return [_innocent_row(name, level, life.log_e) for level in LEVELS]


def _innocent_row(name: str, level: float, log_e: np.ndarray) -> dict[str, Any]:
    alarms, keys = int((log_e >= -math.log(level)).sum()), len(log_e)
    interval = stats.binomtest(alarms, keys).proportion_ci(0.95, method="exact")
    return {
        "suspect": name,
        "level": level,
        "days": DAYS,
        "keys": keys,
        "mean_e": np.exp(log_e).mean(),
        "alarms": alarms,
        "low": interval.low,
        "high": interval.high,
        "bound_holds": bool(interval.low <= level),
    }


def marked_row(
    success: float, marked_on: int, noticed: bool, runs: int, seed: int
) -> dict[str, Any]:
    """Days until a suspect shows that is marked from a day on; 1 is that very day."""
    level = LEVELS[-1]
    rng = np.random.default_rng(derive_seed(seed, "watching", success, marked_on))
    targets = rng.integers(CLASSES, size=(runs, PARTS))
    life, shown = Lifetime(targets), np.full(runs, np.inf)
    for day in range(1, DAYS + 1):
        given = ask(rng, targets, success if day >= marked_on else 0.0)
        exchanged = noticed and day == marked_on
        log_e = life.add(sum_of(given[None], CLASSES)[None], exchanged=exchanged)
        shown[np.isinf(shown) & (log_e >= -math.log(level))] = day
        if np.isfinite(shown).all():
            break
    delays = shown - marked_on + 1
    median, most = (np.quantile(delays, share, method="inverted_cdf") for share in (0.5, 0.95))
    return {
        "suspect": "marked",
        "level": level,
        "days": DAYS,
        "keys": runs,
        "success": success,
        "marked_on": marked_on,
        "noticed": noticed,
        "alarms": int(np.isfinite(shown).sum()),
        "alarms_before": int((shown < marked_on).sum()),
        "median_days": median,
        "days_95": most,
    }


def run(lab: Lab, runs: str = "200") -> None:
    """Write the table.

    Args:
        lab: gives the seed, takes the table.
        runs: suspects of each row, a whole number.

    Raises:
        ParameterError: it is none, or below 1.
    """
    if not runs.isdecimal() or not (count := int(runs)):
        raise ParameterError(f"{runs} runs: give 1 or more, 200 as a rule")
    names = (HONEST, *FAVOURITES)
    found: list[dict[str, Any]] = []
    with lab.progress(len(names) + len(MARKED), "suspects", "watching") as update:
        for done, name in enumerate(names, 1):
            found += innocent_rows(name, count, lab.seed)
            update(done, "")
        for done, values in enumerate(MARKED, len(names) + 1):
            found.append(marked_row(*values, count, lab.seed))
            update(done, "")
    text = pd.DataFrame(found).to_csv(index=False, float_format="%.6g")
    write_text(lab.results / "watching.csv", text)
    holds = [row["bound_holds"] for row in found if "bound_holds" in row]
    print(f"the level holds in {sum(holds)} of {len(holds)} rows; {len(MARKED)} delays")  # noqa: T201
