"""DVBW's tables 1 to 3 and its claims, from the evidence of its cells."""

from typing import Any

import pandas as pd

from datadeed.reports.cells import COLUMNS, Claim, cell_rows, describe, pivot

PAPER = "dvbw"
STAGE = "papers/dvbw/dvc.yaml:verify"
SOURCE = "DVBW (Li et al. 2023), results as summarised in a published review"
GENUINE = "steal"

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
_EXACT = {"p_binomial": ("binomial", "p_value"), "p_mcnemar": ("mcnemar", "p_value")}
_METRICS: dict[int, dict[str, tuple[str, ...]]] = {
    2: {
        "delta_p": ("probability", "delta_p"),
        "p_published": ("probability", "p_published"),
        **{name: ("probability", *path) for name, path in _EXACT.items()},
    },
    3: {
        "p_described": ("label_only", "p_described"),
        "value_released": ("label_only", "value_released"),
        **{
            f"value_released_renumbered_{k}": ("label_only", "value_released_renumbered", k)
            for k in ("min", "median", "max")
        },
        **{name: ("label_only", *path) for name, path in _EXACT.items()},
    },
}


def cells(evidence: list[dict[str, Any]], scale: str) -> pd.DataFrame:
    """One row a number, from the ``evidence.json`` of every verification stage.

    Returns:
        Columns as :data:`datadeed.reports.cells.COLUMNS`; rates are shares from 0 to 1.
    """
    rows: list[dict[str, Any]] = []
    for record in evidence:
        name = "{dataset}-{network}-{watermark}-{seed}".format(**record)
        where = {
            "paper": PAPER,
            "dataset": record["dataset"],
            "model": record["network"],
            "watermark": record["watermark"],
            "seed": record["seed"],
            "stage": f"{STAGE}@{name}",
            "scale": scale,
        }
        for scenario, found in record["scenarios"].items():
            here = {**where, "scenario": scenario}
            rows += _table_1(here, found["rates"])
            for table, metrics in _METRICS.items():
                n = found["probability" if table == 2 else "label_only"]["n"]
                rows += cell_rows({**here, "table": table, "n": n}, found, metrics)
    return pd.DataFrame(rows, columns=COLUMNS)


def _table_1(where: dict[str, Any], rates: dict[str, Any]) -> list[dict[str, Any]]:
    """BA and WSR of one scenario's model; the independent model is the row "none"."""
    rows = []
    if where["scenario"] != "independent-trigger":  # the same model as under "steal"
        rows.append(("ba", rates["benign_accuracy"]))
    rows.append(("wsr", rates["watermark_success"]))
    rows.append(("wsr_as_released", rates["watermark_success_as_released"]))
    return [
        {**where, "table": 1, "metric": name, "value": found["value"], "n": found["n"]}
        for name, found in rows
    ]


def tables(found: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The published tables as pivots of the cells: mean and spread over seeds."""
    return {table: pivot(found[found.table == table], table) for table in TABLES}


def claims(found: pd.DataFrame) -> list[Claim]:
    """Every checkable sentence of the paper, held against the cells; none without cells."""
    if found.empty:
        return []
    return [
        *_harmless(found),
        *_success(found),
        *_probability(found),
        *_label_only(found),
        *_exact(found),
    ]


def _harmless(found: pd.DataFrame) -> list[Claim]:
    ba = found[found.metric == "ba"]
    case = ["dataset", "model", "watermark"]
    mean = ba.groupby([*case, "scenario"])["value"].mean().unstack()
    fall = 100 * (mean["independent-model"] - mean["steal"])
    worst = f"largest fall {fall.max():.2f} points ({describe(fall.idxmax())})"
    share = f"{(fall < 1).sum()} of {len(fall)} cases below 1 point"
    select = 'metric == "ba"'
    return [
        Claim("ba-below-2", PAPER, SOURCE, "BA falls by less than 2 points in every case",
              bool((fall < 2).all()), worst, select),
        Claim("ba-below-1", PAPER, SOURCE, "BA falls by less than 1 point in most cases",
              bool((fall < 1).mean() > 0.5), share, select),
    ]  # fmt: skip


def _success(found: pd.DataFrame) -> list[Claim]:
    select = 'metric == "wsr" and scenario == "steal"'
    wsr = 100 * found.query(select).groupby(["dataset", "model", "watermark"])["value"].mean()
    least = f"least {wsr.min():.1f} % ({describe(wsr.idxmin())})"
    share = f"{(wsr > 99).sum()} of {len(wsr)} cases above 99 %"
    note = " (CIFAR-10)"
    return [
        Claim("wsr-above-94", PAPER, SOURCE, "WSR above 94 % in every case" + note,
              bool((wsr > 94).all()), least, select),
        Claim("wsr-above-99", PAPER, SOURCE, "WSR above 99 % in most cases" + note,
              bool((wsr > 99).mean() > 0.5), share, select),
    ]  # fmt: skip


def _split(found: pd.DataFrame, table: int, metric: str) -> tuple[pd.Series, pd.Series]:
    """The values of a metric under theft, and without."""
    case = ["dataset", "model", "watermark", "seed"]
    rows = found[(found.table == table) & (found.metric == metric)].sort_values(case)
    return rows[rows.scenario == GENUINE]["value"], rows[rows.scenario != GENUINE]["value"]


def _probability(found: pd.DataFrame) -> list[Claim]:
    (rise, drift), (p_theft, p_none) = (
        _split(found, 2, metric) for metric in ("delta_p", "p_published")
    )
    select = 'table == 2 and metric in ("delta_p", "p_published")'
    return [
        Claim("probability-steal", PAPER, SOURCE,
              "Steal: delta-P well above 0 (here: above tau = 0.2) and p <= 0.01",
              bool((rise > 0.2).all() and (p_theft <= 0.01).all()),
              f"least delta-P {rise.min():.3f}, greatest p {p_theft.max():.2g}", select),
        Claim("probability-independent", PAPER, SOURCE,
              "Independent: delta-P near 0 (here: within 0.1) and p >= 0.05",
              bool((drift.abs() < 0.1).all() and (p_none >= 0.05).all()),
              f"greatest |delta-P| {drift.abs().max():.3f}, least p {p_none.min():.2g}", select),
    ]  # fmt: skip


def _label_only(found: pd.DataFrame) -> list[Claim]:
    made = []
    for metric, name in (("p_described", "as described"), ("value_released", "as released, 1 - p")):
        theft, none = _split(found, 3, metric)
        strong, _ = _split(found, 2, "p_published")
        greater = theft.to_numpy() >= strong.to_numpy()  # both in the order of the cases
        select = f'table == 3 and metric == "{metric}"'
        made += [
            Claim(f"label-steal-{metric}", PAPER, SOURCE,
                  f"label-only ({name}): Steal gives p < 0.05", bool((theft < 0.05).all()),
                  f"{(theft < 0.05).sum()} of {len(theft)}, greatest {theft.max():.3g}", select),
            Claim(f"label-independent-{metric}", PAPER, SOURCE,
                  f"label-only ({name}): otherwise p >= 0.05", bool((none >= 0.05).all()),
                  f"{(none >= 0.05).sum()} of {len(none)}, least {none.min():.3g}", select),
            Claim(f"label-weaker-{metric}", PAPER, SOURCE,
                  f"label-only ({name}) is weaker than probability-available "
                  "(here: finds no more thefts, and in every case its value is the greater)",
                  bool((theft < 0.05).sum() <= (strong < 0.05).sum() and greater.all()),
                  f"thefts found {(theft < 0.05).sum()} against {(strong < 0.05).sum()} of "
                  f"{len(theft)}; the greater value in {greater.sum()}",
                  'scenario == "steal" and table in (2, 3)'),
        ]  # fmt: skip
    return made


def _exact(found: pd.DataFrame) -> list[Claim]:
    made = []
    for table, where in ((2, "any classes"), (3, "first classes only")):
        worst = found[(found.table == table) & found.metric.isin(list(_EXACT))]
        case = ["dataset", "model", "watermark", "scenario", "seed"]
        p = worst.groupby(case)["value"].max()
        theft = p.index.get_level_values("scenario") == GENUINE
        made.append(
            Claim(f"exact-table-{table}", "datadeed", "exact tests beside the published ones",
                  f"exact binomial and McNemar, labels only ({where}): Steal p <= 0.01, "
                  "otherwise p >= 0.05",
                  bool((p[theft] <= 0.01).all() and (p[~theft] >= 0.05).all()),
                  f"Steal: greatest p {p[theft].max():.2g}; "
                  f"otherwise least p {p[~theft].min():.2g}",
                  f'table == {table} and metric in ("p_binomial", "p_mcnemar")')
        )  # fmt: skip
    return made
