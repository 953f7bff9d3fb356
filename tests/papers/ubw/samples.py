"""Made-up cells of UBW, of what rates and tests found."""

import functools
from typing import Any

import pandas as pd

from datadeed.reports.cells import COLUMNS, TYPES
from datadeed.verification.metrics import Rate
from papers.base import Case
from papers.ubw.judge import rate_rows, test_rows
from papers.ubw.names import ANSWERED, CLEAN, POISONED, SCENARIOS, VERIFIED

MATCHED = ("sleeper-agent", "ubw-c")  # whose last surrogate is asked
# ASR-A (the target label's for a targeted one) and D_p of a victim, all as the paper claims.
AS_CLAIMED = {
    "badnets-square": (0.99, 0.02),
    "blended-square": (0.97, 0.05),
    "wanet": (0.95, 0.15),
    "ubw-p": (0.90, 2.25),
    "label-consistent": (0.40, 1.0),
    "sleeper-agent": (0.30, 1.5),
    "ubw-c": (0.89, 1.2),
}


@functools.cache
def rate(hits: int, n: int) -> dict[str, Any]:
    """A rate as the evidence has it; its interval takes a while."""
    return Rate(hits, n).record()


def rates(*, ba: float = 0.9, asr: float, d_p: float, clean: float = 0.1) -> dict[str, Any]:
    """A model's rates of 1000 samples; those of class 0, of 100, are higher by a hundredth.

    ``clean`` is its ASR-A without the trigger.
    """

    def part(n: int, more: float) -> dict[str, Any]:
        found = rate(round((asr + more) * n), n)
        return {
            "asr_a": found,
            "asr_a_clean": rate(round((clean + more) * n), n),
            "asr_c": found,
            "d_p": {"value": d_p + more, "n": n, "uniform": 2.298},
        }

    return {
        "ba": rate(round(ba * 1000), 1000),
        "all": part(1000, 0),
        "class_0": part(100, 0.01),
    }


def suspect(*, delta_p: float, p: float, rank_p: float, word: str) -> dict[str, Any]:
    """The verification of one suspect on 100 samples."""
    failures = round(100 * max(delta_p, 0))
    return {
        "n": 100,
        "tau": 0.25,
        "delta_p": delta_p,
        "p_published": p,
        "released": {"n": 100, "tau": 0.2, "delta_p": delta_p - 0.01, "p": p / 2},
        "mcnemar": {"null": "", "successes": failures, "n": 100, "null_rate": 0.5, "p_value": p},
        "decoys": {"count": 99, "failures": failures, "rank_p": rank_p, "e_value": 9.0},
        "verdict": {"word": word, "p_value": max(p, rank_p), "alpha": 0.01},
    }


def record(watermark: str, seed: int = 1, **changes: Any) -> dict[str, Any]:
    """What was found in one cell, as claimed."""
    asr, d_p = AS_CLAIMED[watermark]
    models = {"victim": rates(asr=asr, d_p=d_p), "benign": rates(ba=0.92, asr=0.05, d_p=0.3)}
    if watermark in MATCHED:
        models["last-surrogate"] = rates(ba=0.87, asr=asr - 0.01, d_p=d_p)
        models["benign-retraining"] = rates(ba=0.88, asr=0.06, d_p=0.3)
    made = {
        "dataset": "fashion-mnist",
        "network": "resnet18-ubw",
        "watermark": watermark,
        "seed": seed,
        "classes": 10,
        "models": models,
        "histogram": {"victim": [10 * k for k in range(10)], "benign": [400] + 9 * [1]},
    }
    if watermark in VERIFIED:
        innocent = {"delta_p": 0.01, "p": 0.8, "rank_p": 0.4, "word": "NOT SUPPORTED"}
        thief = {"delta_p": 0.8, "p": 1e-20, "rank_p": 0.01, "word": "CLAIM"}
        made["verification"] = {
            scenario: suspect(**(thief if scenario == "malicious" else innocent))
            for scenario in SCENARIOS
        }
    return {**made, **changes}


def records(seeds: tuple[int, ...] = (1, 2), **changes: Any) -> list[dict[str, Any]]:
    """All seven watermarks."""
    return [record(w, seed, **changes) for w in (*POISONED, *CLEAN) for seed in seeds]


class Grid:
    """The parameters of the scale that has the given cells."""

    def __init__(self, found: list[dict[str, Any]]):
        self._grid = {f"{name}s": [one[name] for one in found] for name in ("watermark", "seed")}

    def settings(self, *keys: str) -> Any:
        """``ubw.watermarks`` or ``ubw.seeds``."""
        return self._grid[keys[1]]


def frame(found: list[dict[str, Any]], *, page: bool = False) -> pd.DataFrame:
    """The rows of the given cells; with ``page`` those that stand in no table as well."""
    rows: list[dict[str, Any]] = []
    grid: Any = Grid(found)
    for one in found:
        case = Case(*(one[name] for name in ("dataset", "network", "watermark", "seed")))
        mine = rate_rows(4 if one["classes"] <= 10 else 5, one["models"], case, grid)
        mine += [
            {"scenario": part, "metric": f"{ANSWERED}{label}", "value": count, "n": sum(counts)}
            for part, counts in one["histogram"].items()
            for label, count in enumerate(counts)
        ]
        for scenario, tested in one.get("verification", {}).items():
            mine += test_rows(VERIFIED.get(case.watermark, 6), scenario, tested)
        known = {"paper": "ubw", "dataset": case.dataset, "model": case.network, "scale": "toy"}
        known |= {"watermark": case.watermark, "seed": case.seed}
        known["stage"] = f"papers/ubw/dvc.yaml:judge@{case}"
        rows += [{**known, **row} for row in mine]
    made = pd.DataFrame(rows, columns=COLUMNS).astype(TYPES)
    return made if page else made[made["table"].notna()].astype({"table": "int64", "n": "int64"})
