"""What DVBW claims, held against its cells."""

import pandas as pd

from datadeed.reports.cells import Claim, describe

PAPER = "dvbw"
SOURCE = "DVBW (Li et al. 2023), results as summarised in a published review"
GENUINE = "steal"
EXACT = ("p_binomial", "p_mcnemar")


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
        worst = found[(found.table == table) & found.metric.isin(EXACT)]
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
