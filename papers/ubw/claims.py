"""UBW's sentences in words, held against the cells. Values are means over seeds."""

from typing import Any

import pandas as pd

from datadeed.reports.cells import Claim, describe
from papers.ubw.names import CLEAN, POISONED, VERIFIED

PAPER = "ubw"
SOURCE = "UBW (Li et al. 2022), results as summarised in a published review"

Seen = tuple[bool, str] | None  # whether a claim holds, and the figure that decides


def claims(found: pd.DataFrame) -> list[Claim]:
    """Every checkable sentence of the paper, held against the cells."""
    return [
        _comparable(found, "poisoned", POISONED),
        _comparable(found, "clean", CLEAN),
        _above_55(found),
        _ten_times(found),
        _similar(found),
        *(c for m in VERIFIED for guilty in (True, False) for c in _verified(found, m, guilty)),
    ]


def _claim(name: str, source: tuple[str, str], statement: str, select: str, seen: Seen) -> Claim:
    """A claim; nothing ``seen`` means that the scale has no cells to test it on."""
    holds, observed = seen or (None, "no such cells at this scale")
    return Claim(f"ubw-{name}", *source, statement, holds, observed, select)


def _rivals(
    found: pd.DataFrame, metric: str, family: tuple[str, ...], *, above_honest: bool = False
) -> tuple[pd.Series, pd.DataFrame] | None:
    """A metric of the victims of UBW and of its rivals, a row a (dataset, model).

    With ``above_honest``, how far it exceeds that of the honest models asked with the same trigger.
    None where no dataset has the whole ``family``.
    """

    def means(scenario: str) -> pd.DataFrame:
        rows = found[(found.scenario == scenario) & (found.metric == metric)]
        wide = rows.groupby(["dataset", "model", "watermark"])["value"].mean().unstack()
        return wide.reindex(columns=list(family))

    mean = means("victim")
    if above_honest:
        mean = mean - means("benign")
    mean = mean.dropna()
    return None if mean.empty else (mean[family[-1]], mean[list(family[:-1])])


def _select(metric: str) -> str:
    return f'paper == "ubw" and scenario == "victim" and metric == "{metric}"'


def _comparable(found: pd.DataFrame, labels: str, family: tuple[str, ...]) -> Claim:
    compared, seen = _rivals(found, "asr_a", family, above_honest=True), None
    if compared:
        ours, rivals = 100 * compared[0], 100 * compared[1]
        mean = rivals.mean(axis=1)
        case: Any = (mean - ours).idxmax()
        seen = (
            bool((mean - ours <= 10).all()),
            f"{ours[case]:.1f} points against "
            f"{', '.join(f'{rivals.loc[case, name]:.1f} of {name}' for name in family[:-1])} "
            f"({describe(case)}{_without_trigger(found, case, family[-1])})",
        )
    statement = (
        f"UBW's ASR is comparable to the targeted watermarks' with {labels} labels (here: what "
        f"{family[-1]} adds to the ASR-A of an honest model, over all classes, is at most 10 "
        f"points below the mean of {', '.join(family[:-1])})"
    )
    select = 'paper == "ubw" and scenario in ("victim", "benign") and metric == "asr_a"'
    return _claim(f"asr-{labels}", (PAPER, SOURCE), statement, select, seen)


def _without_trigger(found: pd.DataFrame, case: Any, watermark: str) -> str:
    """How often victims err about class 0 with and without the trigger, if the cells say so."""
    dataset, model = case
    here = found[(found.dataset == dataset) & (found.model == model)]
    mine = here[(here.watermark == watermark) & (here.scenario == "victim")]
    mean = 100 * mine.groupby("metric")["value"].mean()
    if "asr_a_clean_class_0" not in mean:  # these cells are older
        return ""
    return (
        f"; of class 0 {mean['asr_a_class_0']:.1f} % are wrong with the trigger, "
        f"{mean['asr_a_clean_class_0']:.1f} % without"
    )


def _above_55(found: pd.DataFrame) -> Claim:
    compared, seen = _rivals(found[found.table == 5], "asr_c", CLEAN), None
    if compared:
        lead = 100 * (compared[0] - compared[1].max(axis=1))
        least = f"least lead {lead.min():.1f} points ({describe(lead.idxmin())})"
        seen = (bool((lead > 55).all()), least)
    statement = (
        "UBW-C's ASR-C is above Label-Consistent's and Sleeper Agent's by more than 55 points "
        "(ImageNet, 50 classes; here: every dataset of more than ten)"
    )
    select = "table == 5 and " + _select("asr_c")
    return _claim("asr-c-above-55", (PAPER, SOURCE), statement, select, seen)


def _ten_times(found: pd.DataFrame) -> Claim:
    compared, seen = _rivals(found[found.table == 4], "d_p", POISONED), None
    if compared:
        ours, rivals = compared
        most = rivals.max(axis=1)
        case: Any = (ours - 10 * most).idxmin()
        seen = (
            bool((ours > 10 * most).all()),
            f"D_p {ours[case]:.3f} against {most[case]:.3f} of {rivals.idxmax(axis=1)[case]} "
            f"({describe(case)})",
        )
    statement = (
        "UBW-P's D_p is more than ten times that of every other watermark with poisoned labels "
        "(CIFAR-10; here: every dataset of ten classes or fewer, over all classes)"
    )
    select = "table == 4 and " + _select("d_p")
    return _claim("d-p-ten-times", (PAPER, SOURCE), statement, select, seen)


def _similar(found: pd.DataFrame) -> Claim:
    compared, seen = _rivals(found, "d_p", CLEAN), None
    if compared:
        ours, rivals = compared
        alike = rivals.ge(ours / 2, axis=0) & rivals.le(2 * ours, axis=0)
        least, most = rivals.to_numpy().min(), rivals.to_numpy().max()
        seen = (
            bool(alike.to_numpy().all()),
            f"UBW-C's {ours.min():.3f} to {ours.max():.3f}, the others' {least:.3f} to {most:.3f}",
        )
    statement = (
        "the other clean-label watermarks' D_p is similar to UBW-C's (here: within a factor of 2, "
        "over all classes)"
    )
    return _claim("d-p-similar", (PAPER, SOURCE), statement, _select("d_p"), seen)


def _verified(found: pd.DataFrame, method: str, guilty: bool) -> list[Claim]:
    """What the paper's test says of thieves or of the innocent, and what the exact ones say."""
    table, name = VERIFIED[method], "malicious" if guilty else "independent"
    rows = found[(found.table == table) & ((found.scenario == "malicious") == guilty)]
    case = ["dataset", "model", "watermark", "seed", "scenario"]
    wide = rows.pivot(index=case, columns="metric", values="value")
    if guilty:
        paper = "delta-P well above 0 (here: above tau = 0.25) and p <= 0.01"
        exact = "p <= 0.01"
    else:
        paper = "delta-P near 0 (here: within 0.1) and p >= 0.05"
        exact = "p >= 0.05"
    who, select = f"{method}, {name.capitalize()}", f"table == {table} and metric in "
    return [
        _claim(
            f"{method}-{name}",
            (PAPER, SOURCE),
            f"{who}: {paper}",
            select + '("delta_p", "p_published")',
            None if wide.empty else _paired(wide, guilty),
        ),
        _claim(
            f"{method}-{name}-exact",
            ("datadeed", "exact tests beside the published one"),
            f"{who}: exact McNemar and the trigger's rank among decoys, the greater {exact}",
            select + '("p_mcnemar", "p_rank")',
            None if wide.empty else _exact(wide, guilty),
        ),
    ]


def _paired(wide: pd.DataFrame, guilty: bool) -> tuple[bool, str]:
    fall, p = wide["delta_p"], wide["p_published"]
    if guilty:
        holds = (fall > 0.25).all() and (p <= 0.01).all()
        return bool(holds), f"least delta-P {fall.min():.3f}, greatest p {p.max():.2g}"
    holds = (fall.abs() < 0.1).all() and (p >= 0.05).all()
    return bool(holds), f"greatest |delta-P| {fall.abs().max():.3f}, least p {p.min():.2g}"


def _exact(wide: pd.DataFrame, guilty: bool) -> tuple[bool, str]:
    tests = wide[["p_mcnemar", "p_rank"]]
    greater = tests.max(axis=1)
    worst, word = (tests.max(), "greatest") if guilty else (tests.min(), "least")
    holds = (greater <= 0.01).all() if guilty else (greater >= 0.05).all()
    shown = f"{word} p {worst['p_mcnemar']:.2g} (McNemar), {worst['p_rank']:.2g} (rank)"
    return bool(holds), shown
