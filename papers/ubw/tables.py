"""UBW's tables 4 to 7 from its cells.

"Over all classes" counts every test image; "class 0" counts the images of that class alone, as the
released code does. ``asr_a_clean`` is ASR-A of the same images without the trigger: gradient
matching damages its source class with or without it, and only what ASR-A has above that is the
trigger's.
"""

from typing import Any

import pandas as pd

from datadeed.reports.cells import PERCENT, Mean, Range, Shown, cell_view
from papers.ubw.names import CLEAN, MODELS, POISONED, SCENARIOS, VERIFIED

RATES = ("ba", "asr_a", "asr_a_clean", "asr_c", "d_p", "d_p_uniform")
CLASS_0 = tuple(f"{name}_class_0" for name in RATES[1:])
TESTS = (
    *("delta_p", "p_published", "delta_p_released", "p_released"),  # the paper's and DATABench's
    *("p_mcnemar", "p_rank", "e_decoys", "failures"),  # ours
)
WATERMARKS = ("none", *POISONED, *CLEAN)  # in the paper's order
CASE = ["dataset", "model", "scenario", "watermark"]

TABLES = {
    4: "Watermarks on datasets of at most ten classes",
    5: "Watermarks on datasets of more than ten classes",
    6: "Verification of UBW-P",
    7: "Verification of UBW-C",
}
CLAIMED = {
    4: "ASR of UBW comparable to the targeted watermarks’ with poisoned and with clean labels; "
    "UBW-P’s D_p more than ten times that of every other one with poisoned labels",
    5: "UBW-C’s ASR-C above Label-Consistent’s and Sleeper Agent’s by more than 55 points",
    6: "Malicious: delta-P well above 0 and p <= 0.01; Independent: delta-P near 0 and p >= 0.05",
    7: "Malicious: delta-P well above 0 and p <= 0.01; Independent: delta-P near 0 and p >= 0.05",
}
HEADLINES = {  # for `dvc metrics`: means of these cells
    "ubw_p_asr_a": 'scenario == "victim" and metric == "asr_a" and watermark == "ubw-p"',
    "ubw_c_asr_a": 'scenario == "victim" and metric == "asr_a" and watermark == "ubw-c"',
    **{
        f"ubw_c_{metric}": f'scenario == "victim" and metric == "{metric}" and watermark == "ubw-c"'
        for metric in ("asr_a_class_0", "asr_a_clean_class_0")
    },
    "ubw_p_d_p": 'scenario == "victim" and metric == "d_p" and watermark == "ubw-p"',
    "ubw_c_d_p": 'scenario == "victim" and metric == "d_p" and watermark == "ubw-c"',
}

_BY_CLASS: Shown = {
    **dict.fromkeys(("asr_a", "asr_a_clean", "asr_c"), PERCENT),
    "d_p": Mean(digits=4),
    "d_p_uniform": Mean(digits=3, spread=False),
}
SHOWN: Shown = {
    "ba": PERCENT,
    **_BY_CLASS,
    **{f"{metric}_class_0": shown for metric, shown in _BY_CLASS.items()},
    **dict.fromkeys(("delta_p", "delta_p_released"), Mean(digits=3)),
    "failures": Mean(digits=1),
    "p_mcnemar": Range(exact=True),
}


def tables(found: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The published tables as pivots of the cells: mean and spread over seeds.

    A row a (dataset, model, scenario, watermark), a column a metric; only a header where the scale
    has no such cells.
    """
    made = {}
    for table in TABLES:
        metrics = list(TESTS) if table in VERIFIED.values() else [*RATES, *CLASS_0]
        rows = [
            {**case, **{m: cell_view(mine[mine.metric == m], m, SHOWN)["text"] for m in metrics}}
            for case, mine in in_order(found[found.table == table])
        ]
        made[table] = pd.DataFrame(rows, columns=[*CASE, *metrics])
    return made


def in_order(found: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The cells of each (dataset, model, scenario, watermark) in the paper's order.

    The honest model, "none", comes first.
    """
    groups = [(tuple(map(str, case)), mine) for case, mine in found.groupby(CASE)]
    groups.sort(key=lambda group: _place(*group[0]))
    return [(dict(zip(CASE, case, strict=True)), mine) for case, mine in groups]


def _place(dataset: str, model: str, scenario: str, watermark: str) -> tuple[Any, ...]:
    """What cases are sorted by; unknown names come last, by name."""
    orders = ((*MODELS, *SCENARIOS), scenario), (WATERMARKS, watermark)
    ranks = [names.index(name) if name in names else len(names) for names, name in orders]
    return (dataset, model, watermark != "none", *ranks, scenario, watermark)
