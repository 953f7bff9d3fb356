"""The cells of a scale. All of them are studies: answers to one trigger are not enough here."""

from typing import Any

from papers.base import Case, grid

PAPER = "pick-your-poison"  # in the columns of cells and claims


def cases(settings: dict[str, Any]) -> list[Case]:
    """None: another paper may have asked the same models."""
    return []


def studies(settings: dict[str, Any]) -> dict[str, list[Case]]:
    """Models that are repaired; those searched for a backdoor: these and honest ones; dual ones."""
    mine = settings["pick_your_poison"]
    attacked = [case for part in mine["grids"].values() for case in grid(part)]
    honest = grid({**mine["benign"], "watermarks": ["none"]})
    return {"repaired": attacked, "detect": attacked + honest, "dual": grid(mine["dual"])}


def stage(study: str, case: Case, settings: dict[str, Any]) -> str:
    """The stage of ``dvc.yaml`` that makes a cell's rows: each grid has its own."""
    grids = {**settings["pick_your_poison"]["grids"]}
    name = next((name for name, part in grids.items() if case in grid(part)), "benign")
    return f"{study}-{name}"
