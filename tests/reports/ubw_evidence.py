"""Evidence of made-up UBW cells in the form that the verification stage writes."""

import functools
from typing import Any

from datadeed.reports.ubw import SCENARIOS
from datadeed.reports.ubw_claims import CLEAN, POISONED
from datadeed.verification.metrics import Rate

MATCHED = ("sleeper-agent", "ubw-c")
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


def rates(*, ba: float = 0.9, asr: float, d_p: float) -> dict[str, Any]:
    """A model's rates of 1000 samples; those of class 0, of 100, are higher by a hundredth."""

    def part(n: int, more: float) -> dict[str, Any]:
        found = rate(round((asr + more) * n), n)
        return {
            "asr_a": found,
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
    """One cell's evidence, as claimed."""
    asr, d_p = AS_CLAIMED[watermark]
    models = {"victim": rates(asr=asr, d_p=d_p), "benign": rates(ba=0.92, asr=0.05, d_p=0.3)}
    if watermark in MATCHED:
        models["last-surrogate"] = rates(ba=0.87, asr=asr - 0.01, d_p=d_p)
    made = {
        "form": 1,
        "paper": "ubw",
        "dataset": "fashion-mnist",
        "network": "resnet18-ubw",
        "watermark": watermark,
        "seed": seed,
        "method": watermark.removesuffix("-square"),
        "target": None if watermark in ("ubw-p", "ubw-c") else 1,
        "classes": 10,
        "marked": 2000,
        "rows": 20000,
        "largest_change": 16 if watermark in CLEAN else None,
        "models": models,
        "histogram": {"victim": [10 * k for k in range(10)], "benign": [400] + 9 * [1]},
    }
    if made["target"] is None:
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
