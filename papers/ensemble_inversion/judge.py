"""The cells of a scale. All of them are studies: nobody is asked about a trigger."""

from typing import Any

from papers.base import Case, grid

PAPER = "ensemble-inversion"  # in the columns of cells and claims


def cases(settings: dict[str, Any]) -> list[Case]:
    """None."""
    return []


def studies(settings: dict[str, Any]) -> dict[str, list[Case]]:
    """Data whose models are inverted, with auxiliary images or without; thieves of marks."""
    grids = settings["ensemble_inversion"]["grids"]
    return {"invert": grid(grids["aided"]) + grid(grids["alone"]), "marks": grid(grids["marks"])}


def aided(case: Case, settings: dict[str, Any]) -> bool:
    """Whether there are auxiliary images for a case."""
    return case in grid(settings["ensemble_inversion"]["grids"]["aided"])
