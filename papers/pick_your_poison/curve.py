"""The trade-off: how well a watermark resists repair, and how well a model with it is told apart.

The name of an attack that stands at several rates ends with its rate in thousandths.
"""

import re

import numpy as np
import pandas as pd

from papers.pick_your_poison.repair import SUSPECT
from papers.pick_your_poison.repaired import BEST, PICKED

DETECTORS = ("calibrated-inversion", "calibrated-inversion, bounded", "neural-cleanse")
CURVE = ("badnets", "blended", "adaptive-blend")  # the attacks that stand at every rate
KEYED = "keyed-12"  # our own, at rates of its own
RATED = (*CURVE, "adaptive-patch", KEYED)
ALL = "all"  # of the curve's attacks


def attack_of(watermark: str) -> tuple[str, int | None]:
    """Name and rate in thousandths; None where the name holds none."""
    found = re.fullmatch(rf"({'|'.join(RATED)})-([0-9]+)", watermark)
    return (found[1], int(found[2])) if found else (watermark, None)


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """ROC-AUC: the share of pairs in which the positive one is higher, a tie counting half.

    Args:
        positive, negative: scores, one or more of each.
    """
    gaps = np.asarray(positive)[:, None] - np.asarray(negative)[None, :]
    return float((gaps > 0).mean() + (gaps == 0).mean() / 2)


def rates(cells: pd.DataFrame) -> pd.DataFrame:
    """Mean rates over seeds; ``rate`` is None where a watermark's name holds none.

    Returns:
        Columns ``attack, rate, metric, scenario, value``.
    """
    found = cells[cells["table"] == 12]
    means = found.groupby(["watermark", "scenario", "metric"], sort=False)["value"].mean()
    frame = means.reset_index()
    names = [attack_of(name) for name in frame.pop("watermark")]
    frame["attack"] = [name for name, _ in names]
    frame["rate"] = pd.Series([rate for _, rate in names], dtype=object)
    return frame


def tradeoff(cells: pd.DataFrame) -> pd.DataFrame:
    """A row an attack and rate: those of the curve, all of these ("all") at each rate, and keyed.

    Returns:
        ``attack, rate``; ``before``, ``picked`` and ``best``: success of the trigger on the suspect
        and after the repair that a defender picks, or that test data pick; and each detector's
        AUC of these models against all honest ones.
    """
    found = rates(cells)
    found = found[found["attack"].isin((*CURVE, KEYED)) & (found["metric"] == "asr")]
    found = found[found["scenario"].isin((SUSPECT, PICKED, BEST))]
    found["scenario"] = found["scenario"].replace({SUSPECT: "before"})
    each = found.pivot(index=["attack", "rate"], columns="scenario", values="value")
    each = each.reindex(columns=["before", PICKED, BEST]).reset_index()
    curve = each[each["attack"] != KEYED]
    pooled = curve.groupby("rate")[["before", PICKED, BEST]].mean().reset_index()
    table = pd.concat([each, pooled.assign(attack=ALL)], ignore_index=True)
    table["rate"] = table["rate"].astype(int)
    for detector in DETECTORS:
        table[detector] = [
            auc(cells, detector, _names(attack, rate))
            for attack, rate in zip(table["attack"], table["rate"], strict=True)
        ]
    table.columns.name = None
    order = {name: place for place, name in enumerate((*CURVE, ALL, KEYED))}
    place = [order[name] for name in table["attack"]]
    table = table.assign(place=place).sort_values(["place", "rate"], ignore_index=True)
    return table[["attack", "rate", "before", PICKED, BEST, *DETECTORS]]


def _names(attack: str, rate: int) -> list[str]:
    return [f"{one}-{rate}" for one in (CURVE if attack == ALL else (attack,))]


def auc(cells: pd.DataFrame, detector: str, watermarks: list[str]) -> float | None:
    """How well a detector tells models with these watermarks from honest ones of the same dataset.

    None where the scale lacks either.
    """
    scores = cells[(cells["scenario"] == detector) & (cells["metric"] == "score")]
    marked = scores[scores["watermark"].isin(watermarks)]
    honest = scores[(scores["watermark"] == "none") & scores["dataset"].isin(marked["dataset"])]
    if marked.empty or honest.empty:
        return None
    return area_under_curve(marked["value"].to_numpy(), honest["value"].to_numpy())
