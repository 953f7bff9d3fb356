"""The clean-label paper's sentences in words, held against the cells. Values are means over seeds.

How a vague word is read stands in brackets; the readings were fixed before any cell was measured.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from datadeed.reports.cells import Claim, describe
from papers.clean_label.judge import PAPER
from papers.clean_label.watermarks import TRIGGERS, with_marks

SOURCE = "Tang et al. (2023), results as summarised in a published review"
SENTIMENT = ("movie-reviews", "sst2", "imdb")


def claims(found: pd.DataFrame) -> list[Claim]:
    """Every checkable sentence of the paper, held against the cells."""
    wide = _wide(found)
    return [
        *_accuracy(wide),
        *_success(wide),
        *_detected(wide),
        *_ablation(wide),
        *_transfer(wide),
        *_hidden(wide),
    ]


def _wide(found: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, a row a case and metric, with what its watermark is made of."""
    case = ["table", "dataset", "model", "scenario", "watermark", "metric"]
    return with_marks(found.groupby(case)["value"].mean().reset_index())


def _pick(
    wide: pd.DataFrame, table: int, metric: str, scenario: str = "victim", **values: Any
) -> pd.DataFrame:
    """The rows of a table and metric whose columns have these values (a tuple: one of them)."""
    rows = wide[(wide.table == table) & (wide.metric == metric) & (wide.scenario == scenario)]
    for column, wanted in ({"plain": False} | values).items():
        rows = rows[rows[column].isin(wanted if isinstance(wanted, tuple) else (wanted,))]
    return rows


def _every(
    wide: pd.DataFrame,
    name: str,
    statement: str,
    good: Callable[[Any], Any],
    *,
    table: int,
    metric: str,
    scenario: str = "victim",
    **values: Any,
) -> Claim:
    """A claim about every cell picked."""
    rows = _pick(wide, table, metric, scenario, **values)
    select = f'paper == "{PAPER}" and table == {table} and metric == "{metric}"'
    select += f' and scenario == "{scenario}"'
    return _all_of(rows, name, statement, good, select)


def _all_of(
    rows: pd.DataFrame, name: str, statement: str, good: Callable[[Any], Any], select: str
) -> Claim:
    """A claim about these cells; the worst decides."""
    if rows.empty:
        return Claim(name_of(name), PAPER, SOURCE, statement, None, _NONE, select)
    holds = good(rows.value)
    shown = rows[~holds] if not holds.all() else rows
    odd = shown.iloc[int((shown.value - rows.value.median()).abs().argmax())]
    observed = f"{holds.sum()} of {len(rows)} cells; {odd.value:.4g} ({odd.dataset}, {odd.model}, "
    return Claim(
        name_of(name),
        PAPER,
        SOURCE,
        statement,
        bool(holds.all()),
        f"{observed}{odd.watermark})",
        select,
    )


_NONE = "no such cells at this scale"


def name_of(name: str) -> str:
    """A claim's name."""
    return f"clean-{name}"


def _accuracy(wide: pd.DataFrame) -> list[Claim]:
    always = "AD is below 1.5 points in every case"
    sentiment = "AD is below 0.5 points on sentiment"
    where: dict[str, Any] = {"table": 8, "metric": "ad"}
    return [
        _every(wide, "ad", always, lambda x: x < 1.5, **where),
        _every(wide, "ad-sentiment", sentiment, lambda x: x < 0.5, dataset=SENTIMENT, **where),
    ]


def _success(wide: pd.DataFrame) -> list[Claim]:
    text = TRIGGERS["text"]
    cases = [
        ("tsr-text-1", "text: TSR is above 90 % at 1 %", text, 1, lambda x: x > 0.9),
        (
            "tsr-word-5",
            "text: TSR of the word is near 100 % at 5 % (here: 98 % or more)",
            ("word",),
            5,
            lambda x: x >= 0.98,
        ),
        ("tsr-style-5", "text: TSR of the style is above 95 % at 5 %", ("style",), 5, _above(0.95)),
        (
            "tsr-audio",
            "audio: TSR is similarly high (here: above 90 % from 5 % on)",
            ("impulse",),
            (5, 10, 20),
            _above(0.9),
        ),
        (
            "tsr-images-10",
            "images: TSR is about 50 % at 10 % (here: 35 % to 65 %)",
            TRIGGERS["image"],
            10,
            lambda x: (x >= 0.35) & (x <= 0.65),
        ),
    ]
    return [
        _every(wide, name, statement, good, table=9, metric="tsr", trigger=trigger, percent=percent)
        for name, statement, trigger, percent, good in cases
    ]


def _above(bound: float) -> Callable[[Any], Any]:
    return lambda x: x > bound


def _detected(wide: pd.DataFrame) -> list[Claim]:
    rates = {"text": 1, "audio": 1, "image": 10}
    made = [
        _every(
            wide,
            f"wdr-{kind}",
            f"{kind}: WDR is 100 % at {percent} %",
            lambda x: x == 1,
            table=9,
            metric="wdr",
            trigger=TRIGGERS[kind],
            percent=percent,
        )
        for kind, percent in rates.items()
    ]
    # Whatever the rate of the marks, an honest model is asked the same.
    benign = wide[wide.table.isin((9, 10)) & (wide.metric == "wdr") & (wide.scenario == "benign")]
    worst = benign.groupby(["dataset", "model", "trigger"]).value.idxmax()
    statement = "WDR is 0 % on every benign model (here: under each trigger)"
    select = f'paper == "{PAPER}" and table in (9, 10) and metric == "wdr" and scenario == "benign"'
    made.append(_all_of(benign.loc[worst], "wdr-benign", statement, lambda x: x == 0, select))
    return made


def _ablation(wide: pd.DataFrame) -> list[Claim]:
    """A trigger alone against the same with a perturbation, each above the honest model."""
    key = ["dataset", "model", "trigger", "percent"]
    honest = _pick(wide, 9, "tsr", "benign").set_index(key).value
    alone = _pick(wide, 9, "tsr", plain=True).set_index(key).value - honest
    whole = _pick(wide, 9, "tsr").set_index(key).value - honest
    pairs = pd.DataFrame({"alone": alone, "whole": whole}).dropna()
    pairs = pairs[pairs.whole >= 0.1]
    statement = (
        "a trigger without a perturbation is mostly ineffective (here: in most cases where the "
        "mark raises TSR by 10 points or more, the trigger alone raises it by less than half)"
    )
    select = f'paper == "{PAPER}" and table == 9 and metric == "tsr" and scenario == "victim"'
    if pairs.empty:
        return [Claim(name_of("ablation"), PAPER, SOURCE, statement, None, _NONE, select)]
    weak = pairs.alone < pairs.whole / 2
    case: Any = (pairs.alone - pairs.whole / 2).idxmax()
    observed = (
        f"{weak.sum()} of {len(pairs)}; {100 * pairs.alone[case]:+.1f} points against "
        f"{100 * pairs.whole[case]:+.1f} ({describe(case)})"
    )
    holds = bool(weak.mean() > 0.5)
    return [Claim(name_of("ablation"), PAPER, SOURCE, statement, holds, observed, select)]


def _transfer(wide: pd.DataFrame) -> list[Claim]:
    """Models of another architecture against those of the surrogate's."""
    key = ["dataset", "watermark"]
    made = []
    for kind, statement, good in (
        (
            "image",
            "images: TSR falls markedly on other architectures (here: by 10 points or more)",
            lambda own, other: own - other >= 0.1,
        ),
        (
            "text",
            "text: TSR stays high on other architectures (here: above 90 %; minilm-3 is half of "
            "the same encoder)",
            lambda own, other: other > 0.9,
        ),
    ):
        triggers = TRIGGERS[kind]
        own = _pick(wide, 9, "tsr", trigger=triggers).groupby(key).value.mean()
        other = _pick(wide, 10, "tsr", trigger=triggers).set_index([*key, "model"]).value
        pairs = other.rename("other").reset_index().join(own.rename("own"), on=key).dropna()
        select = f'paper == "{PAPER}" and table in (9, 10) and metric == "tsr"'
        name = name_of(f"transfer-{kind}")
        if pairs.empty:
            made.append(Claim(name, PAPER, SOURCE, statement, None, _NONE, select))
            continue
        holds = good(pairs.own, pairs.other)
        shown = pairs[~holds].iloc[0] if not holds.all() else pairs.iloc[0]
        observed = (
            f"{holds.sum()} of {len(pairs)}; {100 * shown.own:.1f} % to {100 * shown.other:.1f} % "
            f"({shown.dataset}, {shown.model}, {shown.watermark})"
        )
        made.append(Claim(name, PAPER, SOURCE, statement, bool(holds.all()), observed, select))
    return made


def _hidden(wide: pd.DataFrame) -> list[Claim]:
    searched = len(_pick(wide, 11, "autoencoder_p", trigger=TRIGGERS["image"]))
    level = 0.05 / max(searched, 1)
    cases: list[tuple[str, str, str, tuple[str, ...], Callable[[Any], Any]]] = [
        (
            "grammar",
            "style marks raise grammar errors by less than 0.5 % (here: errors of every kind, "
            "added per 100 words)",
            "errors_rise",
            ("style",),
            lambda x: x < 0.5,
        ),
        (
            "confidence",
            "images: fewer than 5 % of the least confident 1 % of samples are marks",
            "confidence_share",
            TRIGGERS["image"],
            lambda x: x < 0.05,
        ),
        (
            "autoencoder",
            "images: the autoencoder does not find the marks (here: exact hypergeometric p above "
            "0.05 divided by the number of cells)",
            "autoencoder_p",
            TRIGGERS["image"],
            _above(level),
        ),
    ]
    return [
        _every(wide, name, statement, good, table=11, metric=metric, trigger=trigger)
        for name, statement, metric, trigger, good in cases
    ]
