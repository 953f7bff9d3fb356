"""A small piece of evidence, true to its form, and the query log it speaks of."""

from pathlib import Path
from typing import Any

from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.schema import write_evidence
from datadeed.owner.suspects.base import Answer

ANCHOR = "0a" * 32


def question(number: int) -> str:
    return f"{number:064x}"


def answer(*labels: int, **values: Any) -> Answer:
    chosen = {"scores": None, "seconds": 0.25}
    return Answer(labels=labels, **(chosen | values))


def evidence(head: str = ANCHOR, rows: int = 0) -> dict[str, Any]:
    """A claim with one part asked and one behaviour question."""
    layer = {"null": "words", "log_e_max": 14.2, "passed": True, "p_value": 7e-7, "failed": 0}
    return {
        "form": "datadeed/evidence/1",
        "made_at": "2026-11-22T09:00:00.000Z",
        "software": {"datadeed": "0.1.0", "python": "3.11.9", "torch": "2.11.0"},
        "suspect": {
            "name": "thief",
            "kind": "labels",
            "protocol": "kserve-v2",
            "endpoint": "http://127.0.0.1:8080/v2/models/m/infer",
            "fingerprint": "0b" * 32,
        },
        "key": {
            "commitment": "0c" * 32,
            "generator": "datadeed-keyed/1",
            "beacon": {"source": "drand quicknet", "round": 123, "value": "0d" * 32},
            "timestamp": {
                "authority": "an authority",
                "time": "2026-11-01T09:00:00.000Z",
                "token_sha256": "0e" * 32,
            },
            "grinding": "the beacon leaves the owner no choice",
        },
        "design": {
            "classes": ["cat", "dog"],
            "channels": 3,
            "parts": 12,
            "rate": 0.05,
            "opacity": 255,
            "lead": 2,
            "votes": 9,
            "beta": 1.6,
            "epsilon": 0.1,
            "alpha_key": 1e-6,
            "alpha_behaviour": 0.01,
            "null_rate": 0.25,
            "null_rate_source": "nominal",
            "budget": 200,
        },
        "data": {"rows": 50000, "merkle_root": "0f" * 32},
        "pool": {"rows": 10000, "merkle_root": "1a" * 32},
        "key_layer": {
            **layer,
            "log_e": 14.2,
            "threshold": 1e6,
            "best_attainable_p": 1e-12,
            "hits": 1,
            "parts_asked": 1,
            "binomial_p": 1e-8,
            "queries": 2,
            "parts": [
                {
                    "part": 3,
                    "target": 1,
                    "answers": 2,
                    "failed": 0,
                    "votes": {"1": 2},
                    "plurality": 1,
                    "hit": True,
                    "factor": 6.7,
                    "log_e": 1.9,
                }
            ],
        },
        "behaviour_layer": {
            **layer,
            "log_e": 5.1,
            "threshold": 100.0,
            "null_rate": 0.25,
            "hits": 1,
            "n": 1,
            "rate": 1.0,
            "low": 0.4,
            "high": 1.0,
            "level": 0.99,
            "population": 45000,
        },
        "curve": [
            {
                "query": 1,
                "layer": "key",
                "log_e_key": 0.0,
                "log_e_behaviour": 0.0,
                "hits": 0,
                "n": 0,
                "low": 0.0,
                "high": 1.0,
            }
        ],
        "queries": {
            "probe": 1,
            "key": 2,
            "behaviour": 1,
            "failed": 0,
            "from_cache": 0,
            "budget": 200,
            "cost": None,
        },
        "multiplicity": {"suspects": 1, "threshold_key": 1e6, "threshold_behaviour": 100.0},
        "chain": {"anchor": ANCHOR, "head": head, "rows": rows},
        "verdict": {
            "word": "CLAIM",
            "reason": "both layers passed",
            "tested": ["whether the answers depend on the key"],
            "not_tested": ["who copied the data"],
        },
    }


def make_folder(folder: Path) -> Path:
    """An evidence folder as a verification leaves it, before it is signed."""
    with QueryLog(folder, ANCHOR) as log:
        for number, purpose in enumerate(("probe", "key", "key", "behaviour")):
            log.append(
                purpose=purpose,
                part=None if purpose == "probe" else 3,
                row=number,
                question=question(number),
                answer=answer(1),
            )
        log.write_parquet()
    write_evidence(folder / "evidence.json", evidence(log.head, len(log.records)))
    (folder / "report.html").write_text("<p>the report</p>")
    return folder
