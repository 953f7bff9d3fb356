"""The trade-off: how well a watermark resists repair, and how well a model with it is told apart.

The name of a watermark of the curve ends with its rate in thousandths.
"""

import re

import numpy as np
import pandas as pd

from papers.pick_your_poison.repair import SUSPECT
from papers.pick_your_poison.repaired import BEST, PICKED

DETECTORS = ("calibrated-inversion", "calibrated-inversion, bounded", "neural-cleanse")
CURVE = ("badnets", "blended", "adaptive-blend")  # the attacks that stand at every rate


def attack_of(watermark: str) -> tuple[str, int | None]:
    """Name and rate in thousandths; None where the name holds none."""
    found = re.fullmatch(r"(.+?)-([0-9]+)", watermark)
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
    frame[["attack", "rate"]] = [attack_of(name) for name in frame.pop("watermark")]
    return frame


def tradeoff(cells: pd.DataFrame) -> pd.DataFrame:
    """A row an attack of the curve and rate, and one for all of them ("all") at each rate.

    Returns:
        ``attack, rate``; ``before``, ``picked`` and ``best``: success of the trigger on the suspect
        and after the repair that a defender picks, or that test data pick; and each detector's
        AUC of these models against all honest ones.
    """
    found = rates(cells)
    found = found[found["attack"].isin(CURVE) & (found["metric"] == "asr")]
    found = found[found["scenario"].isin((SUSPECT, PICKED, BEST))]
    found["scenario"] = found["scenario"].replace({SUSPECT: "before"})
    each = found.pivot(index=["attack", "rate"], columns="scenario", values="value").reset_index()
    pooled = each.groupby("rate")[["before", PICKED, BEST]].mean().reset_index()
    table = pd.concat([each, pooled.assign(attack="all")], ignore_index=True)
    table["rate"] = table["rate"].astype(int)
    for detector in DETECTORS:
        table[detector] = [
            auc(cells, detector, CURVE if attack == "all" else (attack,), rate)
            for attack, rate in zip(table["attack"], table["rate"], strict=True)
        ]
    table.columns.name = None
    order = {name: place for place, name in enumerate((*CURVE, "all"))}
    place = [order[name] for name in table["attack"]]
    table = table.assign(place=place).sort_values(["place", "rate"], ignore_index=True)
    return table[["attack", "rate", "before", PICKED, BEST, *DETECTORS]]


def auc(cells: pd.DataFrame, detector: str, attacks: tuple[str, ...], rate: int) -> float | None:
    """How well a detector tells models of these attacks from honest ones; None without both."""
    scores = cells[(cells["scenario"] == detector) & (cells["metric"] == "score")]
    names = [f"{attack}-{rate}" for attack in attacks]
    positive = scores[scores["watermark"].isin(names)]["value"].to_numpy()
    datasets = cells[cells["watermark"].isin(names)]["dataset"].unique()
    honest = scores[(scores["watermark"] == "none") & scores["dataset"].isin(datasets)]
    if not len(positive) or honest.empty:
        return None
    return area_under_curve(positive, honest["value"].to_numpy())
