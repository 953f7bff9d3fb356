"""DVBW's tables 1 to 3."""

import pandas as pd

from datadeed.reports.cells import PERCENT, Mean, Range, Shown, pivot

TABLES = {
    1: "Benign accuracy (BA) and watermark success rate (WSR), in percent",
    2: "Probability-available verification: delta-P and p-value of the paired t-test",
    3: "Label-only verification: Wilcoxon tests on label numbers, and exact tests",
}
CLAIMED = {
    1: "BA falls by less than 2 points in every case, by less than 1 in most; WSR above 94 % in "
    "every case, above 99 % in most (CIFAR-10)",
    2: "Steal: delta-P well above 0 and p <= 0.01; Independent: delta-P near 0 and p >= 0.05",
    3: "Steal: p < 0.05; Independent: p >= 0.05; weaker than with probabilities",
}
HEADLINES = {  # for `dvc metrics`: means of these cells
    "thief_ba": 'table == 1 and scenario == "steal" and metric == "ba"',
    "thief_wsr": 'table == 1 and scenario == "steal" and metric == "wsr"',
    "honest_wsr": 'table == 1 and scenario == "independent-model" and metric == "wsr"',
    "thief_delta_p": 'table == 2 and scenario == "steal" and metric == "delta_p"',
}

SHOWN: Shown = {
    **dict.fromkeys(("ba", "wsr", "wsr_as_released"), PERCENT),
    "delta_p": Mean(digits=3),
    "p_mcnemar": Range(exact=True),
}


def tables(found: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The published tables as pivots of the cells: mean and spread over seeds."""
    return {table: pivot(found[found.table == table], SHOWN) for table in TABLES}
