"""The models of the scale in force that experiments ask, by name."""

import itertools

from papers.base import Case, Lab


def grid_models(lab: Lab) -> list[Case]:
    """The benign models, and those with the first paper's watermarks."""
    return _models(lab, "grid", "none")


def keyed_models(lab: Lab) -> list[Case]:
    """The models that were trained on data with a key's marks."""
    return _models(lab, "proof")


def family(case: Case) -> str:
    """The recipe: dataset, network and what the watermark's name begins with, but no seed."""
    return f"{case.dataset} {case.network} {case.watermark.partition('-')[0]}"


def _models(lab: Lab, section: str, *more: str) -> list[Case]:
    grid = lab.settings(section)
    marks = [*more, *grid["watermarks"]]
    names = itertools.product(grid["datasets"], grid["networks"], marks, grid["seeds"])
    return [Case(*name) for name in names]
