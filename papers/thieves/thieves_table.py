"""All rows of ``league`` together; see :mod:`papers.thieves.league`.

``tasks.study thieves thieves_table`` writes ``thieves.csv``, ``thieves-goals.csv`` and
``papers/thieves/thieves.png`` of the scale's datasets; with names of other tables (of other
scales) it draws these beside them.
"""

from pathlib import Path

import pandas as pd

from datadeed.errors import ParameterError
from datadeed.files import atomic_path, write_text
from papers.base import Lab
from papers.thieves.goals import goals

MARKERS = "osD^v"
KINDS = ("practice", "serving", "repair", "extraction", "cleaning")


def run(lab: Lab, *files: str) -> None:
    """Write both tables and the picture.

    Raises:
        ParameterError: a table is missing.
    """
    folder = lab.studies / "tables"
    own = [folder / f"{dataset}.csv" for dataset in lab.settings("thieves", "datasets")]
    rows = pd.concat(map(read, own), ignore_index=True)
    for name, table in (("thieves", rows), ("thieves-goals", goals(rows))):
        write_text(lab.results / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    drawn = pd.concat([rows, *(read(Path(file)) for file in files)], ignore_index=True)
    plot(drawn, lab.figures / "thieves.png")


def read(file: Path) -> pd.DataFrame:
    """A table of the league.

    Raises:
        ParameterError: there is none.
    """
    if not file.exists():
        raise ParameterError(f"{file} does not exist: run league first")
    return pd.read_csv(file)


def plot(rows: pd.DataFrame, path: Path) -> None:
    """Chance of a claim against what it costs the thief: a panel a dataset, a colour a carrier.

    The line is the least chance among all thieves who pay so much or less.
    """
    from matplotlib.figure import Figure  # half a second to import

    shown = rows[rows.kind.isin(KINDS) & rows.accuracy.notna()]
    datasets = list(shown.dataset.unique())
    figure = Figure(figsize=(4.6 * len(datasets) + 1.6, 3.6), layout="constrained")
    panels = figure.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
    for axes, dataset in zip(panels, datasets, strict=True):
        here = shown[shown.dataset == dataset]
        for number, (carrier, of) in enumerate(here.groupby("carrier", sort=False)):
            cost, least = envelope(of)
            axes.step(cost, least, where="post", color=f"C{number}", label=f"{carrier}: least")
            for kind, marker in zip(KINDS, MARKERS, strict=True):
                some = of[of.kind == kind]
                style = {"color": f"C{number}", "marker": marker, "linestyle": "", "alpha": 0.6}
                label = f"{carrier}: {kind}" if len(some) else None
                axes.plot(points(some), some.claimed_labels, markersize=4, label=label, **style)
        axes.set(title=dataset, xlabel="cost to the thief, points of accuracy", ylim=(-0.04, 1.04))
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="claimed within 240 questions, by labels")
    told = [axes.get_legend_handles_labels() for axes in panels]
    marks = {label: handle for pair in told for handle, label in zip(*pair, strict=True)}
    style = {"frameon": False, "fontsize": 7, "bbox_to_anchor": (1, 1), "loc": "upper left"}
    panels[-1].legend(marks.values(), marks.keys(), **style)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format=path.suffix[1:])


def points(rows: pd.DataFrame) -> pd.Series:
    """What a thief pays, in points of accuracy below the honest model."""
    return 100 * (rows.honest_accuracy - rows.accuracy)


def envelope(rows: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Costs, ascending, and the least chance of a claim for so much or less."""
    order = points(rows).sort_values()
    least = rows.claimed_labels.loc[order.index].cummin()
    return order.tolist(), least.tolist()
