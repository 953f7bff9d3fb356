"""``tasks.study pick_your_poison figure``: the trade-off of table 14, drawn for the README."""

from datadeed.files import write_text
from datadeed.reports.cells import read_table
from papers.base import Lab
from papers.pick_your_poison.curve import DETECTORS
from papers.pick_your_poison.figures import curves
from papers.pick_your_poison.repaired import BEST


def run(lab: Lab) -> None:
    """Write ``trade-off.svg`` beside the table."""
    folder = lab.results / "pick_your_poison"
    table = read_table(folder / "table-14.csv", ["attack", "rate", BEST, DETECTORS[0]])
    svg = curves(table).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    write_text(folder / "trade-off.svg", svg)
