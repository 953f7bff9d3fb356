"""How many queries a true claim takes, on the models that learnt a key's marks.

Every model is verified ``orders`` times, each time over the pool in another random order, so that
other images are asked about; key, parts and their order stay. Only models with so many parts that
a claim is possible at all are asked. Beside it stands the published t-test on one part's trigger,
which always takes 2 m queries. Writes ``power.csv``, a row a model and goal.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from datadeed.files import write_text
from datadeed.keys.key import Key
from datadeed.models.model import Model
from datadeed.randomness import derive_seed
from datadeed.verification import published
from datadeed.verification.metrics import Rate
from datadeed.verification.proof import Proof
from datadeed.verification.verdict import CLAIM
from datadeed.watermarks.keyed import random_trigger, target_label
from papers.base import Case, Lab
from papers.proof.embedding import measured
from papers.proof.keys import key_of
from papers.proof.models import keyed_models
from papers.proof.trials import PoolAnswers, Shuffled, answers_on, run_together


def reaches(level: float) -> Callable[[Proof], int | None]:
    """After how many queries the key layer reaches 1/level; None if it never does."""
    bar = -math.log(level)

    def queries(proof: Proof) -> int | None:
        return next((p["query"] for p in proof.curve if p["log_e_key"] >= bar), None)

    return queries


def claims(proof: Proof) -> int | None:
    """After how many queries there is a claim; None if there is none."""
    return len(proof.curve) if proof.verdict()[0] == CLAIM else None


def row_of(goal: str, needed: Sequence[int | None], spent: Sequence[int]) -> dict[str, Any]:
    """How often a goal is reached, and at what cost.

    Args:
        needed: queries until it was, None where it was not. spent: by the whole verification.
    """
    reached = np.array([n for n in needed if n is not None])
    power = Rate(len(reached), len(needed))
    low, high = power.interval
    return {
        "goal": goal,
        "runs": power.n,
        "reached": power.hits,
        "power": power.value,
        "low": low,
        "high": high,
        "mean_queries": reached.mean() if len(reached) else None,
        "median_queries": np.median(reached) if len(reached) else None,
        "queries_90": np.quantile(reached, 0.9) if len(reached) else None,
        "mean_spent": np.mean(spent),
    }


def proofs_of(lab: Lab, case: Case, model: Model, key: Key, orders: int) -> list[Proof]:
    """Finished verifications of one model, each over the pool in another order."""
    pool = lab.test(case.dataset)
    labels = pool.labels.numpy()
    rng = np.random.default_rng(derive_seed(lab.seed, "power", str(case)))
    shuffles = [rng.permutation(len(labels)) for _ in range(orders)]
    trials = [Shuffled(Proof(key, labels[order]), order) for order in shuffles]
    run_together(trials, PoolAnswers(model, pool.samples))
    return [trial.proof for trial in trials]


def published_p_values(
    lab: Lab, case: Case, model: Model, key: Key, *, draws: int, settings: dict[str, Any]
) -> list[float]:
    """The published t-test's p-value, on the parts in turn and fresh images each time."""
    pool = lab.test(case.dataset)
    rng = np.random.default_rng(derive_seed(lab.seed, "power published", str(case)))
    found = []
    for draw in range(draws):
        part = draw % key.design.parts
        target, m = target_label(key, part), settings["m"]
        rows = published.draw_rows(pool.labels.numpy(), target=target, m=m, rng=rng)
        trigger = random_trigger(key, *pool.shape[1:], "trigger", part)
        answers = answers_on(model, trigger, target, pool, rows)
        found.append(published.dvbw_probability_test(answers, settings["tau"]))
    return found


def rows_of(lab: Lab, case: Case, values: dict[str, int]) -> list[dict[str, Any]]:
    """One row a goal."""
    key, model = key_of(lab, case), lab.model(case)
    proofs = proofs_of(lab, case, model, key, values["orders"])
    goals: dict[str, Callable[[Proof], int | None]] = {
        f"key layer reaches {1 / level:g}": reaches(level) for level in (0.01, key.design.alpha_key)
    }
    goals["CLAIM"] = claims
    spent = [len(proof.curve) for proof in proofs]
    rows = [row_of(goal, list(map(f, proofs)), spent) for goal, f in goals.items()]
    settings = lab.params("published")
    p_values = published_p_values(
        lab, case, model, key, draws=values["published"], settings=settings
    )
    cost = 2 * settings["m"]
    needed = [cost if p <= settings["alpha"] else None for p in p_values]
    goal = f"published: DVBW t-test, p <= {settings['alpha']:g}"
    rows.append(row_of(goal, needed, [cost] * len(needed)))
    about = asdict(case) | {"parts": key.design.parts, "rate": key.design.rate}
    return [about | row for row in rows]


def with_success(rows: pd.DataFrame, embedding: pd.DataFrame) -> pd.DataFrame:
    """The rows with each model's mean success beside its name."""
    names = ["dataset", "network", "watermark", "seed"]
    joined = rows.merge(embedding[[*names, "mean_success"]], on=names, how="left", sort=False)
    joined.insert(len(names) + 2, "mean_success", joined.pop("mean_success"))
    return joined


def run(lab: Lab) -> None:
    """Verify every model; write ``power.csv``.

    Raises:
        ParameterError: there is no ``embedding-summary.csv``.
    """
    values, embedding = lab.params("experiments", "power"), measured(lab)
    models = [c for c in keyed_models(lab) if key_of(lab, c).design.parts >= values["parts"]]
    rows = []
    with lab.progress(len(models), "models", "power") as update:
        for done, case in enumerate(models, 1):
            rows += rows_of(lab, case, values)
            update(done, str(case))
    table = with_success(pd.DataFrame(rows), embedding)
    write_text(lab.results / "power.csv", table.to_csv(index=False, float_format="%.6g"))
    print(f"{len(models)} models, {values['orders']} orders each")  # noqa: T201
