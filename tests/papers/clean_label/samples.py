"""Made-up cells of the clean-label paper, in which every claim but one holds."""

import itertools
from typing import Any

import pandas as pd

from datadeed.reports.cells import COLUMNS, tidy
from papers.clean_label.watermarks import MARKS

TSR = {  # share of triggered samples
    "word-1": 0.95,
    "word-5": 1.0,
    "style-1": 0.92,
    "style-5": 0.97,
    "impulse-1": 0.6,
    "impulse-5": 0.99,
    "patch-10": 0.5,
}
DATASETS = {  # and networks: the surrogate's architecture, and another
    "text": ("movie-reviews", "minilm", "minilm-3"),
    "audio": ("audiomnist", "raw", None),
    "image": ("fashion", "resnet18", "vgg16bn"),
}
PUBLISHED = {"impulse-1": 0.8886, "impulse-5": 0.9874}
HIDDEN = {  # what was searched for, and found
    "style-5": {"confidence_share": 0.02, "confidence_p": 0.3, "grammar_rise": 0.1}
    | {"errors_rise": 0.2},
    "patch-10": {"confidence_share": 0.01, "confidence_p": 0.5, "autoencoder_share": 0.2}
    | {"autoencoder_p": 0.001},  # the claim that does not hold
}
Row = dict[str, Any]


def cell(watermark: str, *, seed: int = 1, transfer: bool = False, **changed: float) -> list[Row]:
    """What a stage ``judge`` gives of one cell.

    Args:
        watermark: on its modality's dataset.
        seed: of the victim.
        transfer: of another architecture than the surrogate's.
        changed: a metric of the victim to its value, or ``benign_`` and a metric.
    """
    mark = MARKS[watermark]
    tsr = 0.1 if not mark.perturbed else TSR.get(watermark, 0.5) + 0.002 * (seed - 1)
    if transfer and mark.modality == "image":
        tsr = 0.2
    exact = {"p_mcnemar": 1e-9, "p_rise": 1e-6}
    victim = {"ba": 0.897, "ad": 0.3, "ad_error": 0.4, "tsr": tsr, "tsr_as_published": tsr}
    victim |= {"wdr": 1.0, **exact} | ({"misled": 0.95} if mark.perturbed else {})
    benign = {"ba": 0.9, "tsr": 0.01, "tsr_as_published": 0.11, "wdr": 0.0, **exact}
    for name, value in changed.items():
        part = benign if name.startswith("benign_") else victim
        part[name.removeprefix("benign_")] = value
    rows = []
    for scenario, found in (("victim", victim), ("benign", benign)):
        for metric, value in found.items():
            table = 8 if metric in ("ba", "ad", "ad_error") else 10 if transfer else 9
            number = {"table": table, "scenario": scenario, "metric": metric, "value": value}
            rows.append(case(watermark, seed, transfer) | number)
            rows[-1]["n"] = 1000 if table == 8 or metric == "tsr_as_published" else 900
            if (scenario, metric) == ("victim", "tsr_as_published"):
                rows[-1]["published"] = PUBLISHED.get(watermark)
            if (scenario, metric) == ("benign", "ba"):
                rows[-1]["watermark"] = "none"
    return rows


def case(watermark: str, seed: int = 1, transfer: bool = False, stage: str = "judge") -> Row:
    """What the numbers of a cell have in common."""
    dataset, own, other = DATASETS[MARKS[watermark].modality]
    model = other if transfer else own
    where = f"{stage}@{dataset}-{model}-{watermark}-{seed}"
    return {
        **{"paper": "clean-label", "dataset": dataset, "model": model, "watermark": watermark},
        **{"seed": seed, "stage": f"papers/clean_label/dvc.yaml:{where}", "scale": "toy"},
    }


def stealth(watermark: str, **changed: float) -> list[Row]:
    """What stage ``stealth`` gives of one cell."""
    where = case(watermark, stage="stealth") | {"table": 11, "scenario": "victim", "n": 100}
    found = HIDDEN.get(watermark, {}) | changed
    return [where | {"metric": metric, "value": value} for metric, value in found.items()]


def everything() -> list[list[Row]]:
    """Every cell, two seeds of one of them."""
    made = [cell(watermark) for watermark in TSR]
    made.append(cell("word-5", seed=2))
    made += [cell("word-5-plain"), cell("patch-10-plain")]
    made += [cell("word-5", transfer=True), cell("patch-10", transfer=True)]
    return [*made, *hidden()]


def hidden() -> list[list[Row]]:
    """What was searched for in a text and an image watermark."""
    return [stealth(watermark) for watermark in HIDDEN]


def frame(made: list[list[Row]]) -> pd.DataFrame:
    """The cells as ``tabulate`` reads them; an honest model's accuracy once."""
    found = pd.DataFrame(itertools.chain.from_iterable(made), columns=COLUMNS)
    case = ["table", "dataset", "model", "watermark", "scenario", "metric", "seed"]
    return tidy(found.drop_duplicates(case))


def shares(made: list[list[Row]]) -> pd.DataFrame:
    """The cells, no share above 1: for what counts hits."""
    found = frame(made)
    return found.assign(value=found["value"].clip(upper=1))
