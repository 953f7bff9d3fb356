"""The paper's sentences, held against the cells.

Readings, fixed before any cell was measured; a prototype on MNIST with other weights had been seen.
The gain on faces was added when cells of digits and clothes were there, and before any of faces.
"The ensemble" is the largest diverse one, "a single" a member of it alone; values are compared
within a dataset and a seed, and then averaged:

- accuracy is the evaluator's, of unfiltered pictures;
- an ensemble beats the median, or the best, single if its accuracy is the higher one in the mean
  over seeds, on every dataset (the best single is looked for in every seed anew);
- gains are relative: the ensemble's accuracy over the median single's, less 1, on digits, and on
  faces without auxiliary images. The source does not say whether its percent are points (both are
  printed), nor whether auxiliary images helped with faces. A gain is reached if it is as large as
  the published one;
- both losses help if the ensemble with both is better than with either alone, on every dataset;
- filtering helps if the kept fifth is more accurate than all pictures, on every dataset; auxiliary
  images help likewise;
- farthest model sampling beats random choice at equal member accuracy if its ensembles gain more
  over the mean accuracy of their own members, over all datasets, starts and seeds. The raw
  accuracies are printed too.
"""

from typing import NamedTuple

import pandas as pd

from datadeed.reports.cells import Claim
from papers.ensemble_inversion.judge import PAPER
from papers.ensemble_inversion.names import ACCURACY, AIDED, CHOICE, LOSSES, QUALITY
from papers.ensemble_inversion.tables import by_choice, ranked

REVIEW = "Wang & Kurz (WACV 2022), as summarised in a published review"
ABSTRACT = "Wang & Kurz (WACV 2022), abstract"
DIGITS = ("digits", "mnist", "mnist-10k")
NONE = "no such cells at this scale"


class Gain(NamedTuple):
    """A published gain: of what, on which data sets, at which end of scenarios' names."""

    name: str
    sentence: str
    data: tuple[str, ...]
    end: str
    published: float


GAINS = (
    Gain("data-free", "accuracy of data-free inversion on MNIST by 70.9 %", DIGITS, "", 0.709),
    Gain("auxiliary", "accuracy with auxiliary data on MNIST by 17.9 %", DIGITS, AIDED, 0.179),
    Gain("faces", "accuracy of inversion on faces by 21.1 %", ("faces",), "", 0.211),
)


def claims(cells: pd.DataFrame) -> list[Claim]:
    """Every checkable sentence; none without cells."""
    if cells.empty:
        return []
    own = by_seed(cells)
    return [
        _better(own, "median", "ensemble", "median single", _sentence("the median model alone")),
        _better(own, "best", "ensemble", "best single", _sentence("the best model alone")),
        *(_gain(own, gain) for gain in GAINS),
        _better(own, "auxiliary", f"ensemble{AIDED}", "ensemble",
                "auxiliary images improve an ensemble's pictures (accuracy)"),
        _better(own, "one-hot", "both losses", "activation alone",
                "the one-hot loss improves the quality (accuracy, beside activation alone)"),
        _better(own, "activation", "both losses", "one-hot alone",
                "the maximum-activation loss improves the quality (accuracy, beside one-hot "
                "alone)"),
        _better(own, "filtering", "filtered", "ensemble",
                "filtering out samples of small activation improves the quality (accuracy of the "
                "fifth of each class with most)"),
        _sampling(cells),
    ]  # fmt: skip


def _sentence(rival: str) -> str:
    return f"an ensemble of diverse models gives better pictures than {rival} (accuracy)"


def by_seed(cells: pd.DataFrame) -> pd.DataFrame:
    """Accuracies, a row a dataset and seed: ensemble, ranked singles, losses, filtered."""
    found = cells[(cells["table"] == ACCURACY) & (cells["metric"] == "accuracy")]
    losses = cells[(cells["table"] == LOSSES) & (cells["metric"] == "accuracy")]
    largest = _largest(found["scenario"])
    names = {largest: "ensemble", f"{largest}{AIDED}": f"ensemble{AIDED}"}
    together = found[found["scenario"].isin(names)].replace({"scenario": names})
    quality = cells[(cells["table"] == QUALITY) & (cells["metric"] == "filtered")]
    kept = quality[quality["scenario"] == largest].assign(scenario="filtered")
    parts = pd.concat([together, ranked(found), losses, kept])
    return parts.pivot(index=["dataset", "seed"], columns="scenario", values="value")


def _largest(scenarios: pd.Series) -> str:
    sizes = scenarios.str.extract(r"^diverse (\d+)$")[0].dropna().astype(int)
    return f"diverse {sizes.max()}"


def _better(own: pd.DataFrame, name: str, what: str, rival: str, statement: str) -> Claim:
    """Is one accuracy above another, in the mean over seeds, on every dataset?"""
    source = ABSTRACT if name == "auxiliary" else REVIEW
    holds, observed = None, NONE
    if {what, rival} <= set(own.columns):
        pair = own[[what, rival]].dropna()
        means = pair.groupby("dataset").mean()
        holds = bool((means[what] > means[rival]).all())
        wins = int((pair[what] > pair[rival]).sum())
        shown = [f"{at} {a:.1%} against {b:.1%}" for at, a, b in means.itertuples()]
        observed = f"{'; '.join(shown)}; higher in {wins} of {len(pair)} runs"
    cells = f'paper == "{PAPER}" and table in ({ACCURACY}, {LOSSES}, {QUALITY})'
    return Claim(f"inversion-{name}", PAPER, source, statement, holds, observed, cells)


def _gain(own: pd.DataFrame, sought: Gain) -> Claim:
    """The relative gain over the median single."""
    holds, observed = None, NONE
    mine = own[own.index.get_level_values("dataset").isin(sought.data)]
    pair = [f"ensemble{sought.end}", f"median single{sought.end}"]
    if set(pair) <= set(own.columns) and not mine[pair].dropna().empty:
        after, before = mine[pair].mean()
        gain = after / max(before, 1e-9) - 1
        holds = bool(gain >= sought.published)
        points = 100 * (after - before)
        observed = f"{gain:+.1%}, {points:+.1f} points ({before:.1%} to {after:.1%})"
    improved = f"an ensemble improves the {sought.sentence}"
    statement = f"{improved} (here: relative, over the median single)"
    cells = f'paper == "{PAPER}" and table == {ACCURACY} and metric == "accuracy"'
    name = f"inversion-gain-{sought.name}"
    return Claim(name, PAPER, REVIEW, statement, holds, observed, cells)


def _sampling(cells: pd.DataFrame) -> Claim:
    found = by_choice(cells[cells["table"] == CHOICE])
    means = found.groupby(["scenario", "metric"])["value"].mean()
    holds, observed = None, NONE
    if not means.empty:
        gain, raw = (means.xs(metric, level="metric") for metric in ("gain", "accuracy"))
        holds = bool(gain["farthest"] > gain["random"])
        shown = [f"{how} {100 * gain[how]:+.1f} points ({raw[how]:.1%})" for how in gain.index]
        observed = "; ".join(shown)
    statement = (
        "farthest model sampling gives a better ensemble (here: than random members, in the gain "
        "over the mean of its own members alone)"
    )
    where = f'paper == "{PAPER}" and table == {CHOICE}'
    return Claim("inversion-sampling", PAPER, REVIEW, statement, holds, observed, where)
