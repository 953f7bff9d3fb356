"""DVBW's two tests, as published, and exact ones beside them, on one cell's answers."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datadeed.randomness import derive_seed
from datadeed.verification.answers import Answers
from datadeed.verification.dvbw import SCENARIOS, Settings, verify_dvbw
from datadeed.verification.verdict import WORDS
from papers.base import Case, Records, Row, grid


def cases(settings: dict[str, Any]) -> list[Case]:
    """The cells of a scale."""
    return grid(settings["grid"])


def judge(answers: pa.Table, case: Case, records: Records) -> list[Row]:
    """What the tests say in each scenario; rates are shares."""
    target = records.record(case.dataset, case.watermark)["watermark"]["target"]
    settings = Settings(
        **records.params("verification"),
        first_classes=records.params("first_classes", case.dataset),
    )
    names = (case.dataset, case.network, case.watermark, case.seed)
    made: list[Row] = []
    for scenario in SCENARIOS:
        found = verify_dvbw(
            Answers.from_table(answers.filter(pc.field("scenario") == scenario), target),
            classes=len(records.test_file(case.dataset).classes),
            settings=settings,
            rng=np.random.default_rng(derive_seed(records.seed, "verify", *names)),
        )
        made += [{"scenario": scenario, **row} for row in rows(found, scenario)]
    return made


def rows(found: dict[str, Any], scenario: str) -> list[Row]:
    """One suspect's numbers; a verdict's is its place in :data:`WORDS`."""
    rates, strong, weak = found["rates"], found["probability"], found["label_only"]
    verdict, renumbered = found["verdict"], weak["value_released_renumbered"]
    accuracy = {"ba": rates["benign_accuracy"]}
    if scenario == "independent-trigger":  # the same model as under "steal"
        accuracy = {}
    success = {
        "wsr": rates["watermark_success"],
        "wsr_as_released": rates["watermark_success_as_released"],
    }
    return [
        *(
            {"table": 1, "metric": metric, "value": rate["value"], "n": rate["n"]}
            for metric, rate in {**accuracy, **success}.items()
        ),
        *_numbers(2, strong["n"], {
            "delta_p": strong["delta_p"],
            "p_published": strong["p_published"],
            **_exact(strong),
        }),
        *_numbers(3, weak["n"], {
            "p_described": weak["p_described"],
            "value_released": weak["value_released"],
            **{f"value_released_renumbered_{name}": renumbered[name]
               for name in ("min", "median", "max")},
            **_exact(weak),
        }),
        *_numbers(None, verdict["hit_rate"]["n"], {
            "hits": verdict["hit_rate"]["hits"],
            "p_exact": verdict["p_value"],
            "verdict": WORDS.index(verdict["word"]),
        }),
    ]  # fmt: skip


def _exact(found: dict[str, Any]) -> dict[str, float]:
    return {f"p_{test}": found[test]["p_value"] for test in ("binomial", "mcnemar")}


def _numbers(table: int | None, n: int, values: dict[str, float]) -> list[Row]:
    """Rows that rest on the same ``n`` samples."""
    return [
        {"table": table, "metric": metric, "value": value, "n": n}
        for metric, value in values.items()
    ]
