"""Cells on disk: ``data/cells/PAPER/CASE.csv``; ``CASE-STUDY.csv`` of its further experiments.

Floats are written so that they are the same when read again.
"""

import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

import papers
from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.reports.cells import COLUMNS, TYPES, read_csv
from papers.base import Case, Records, Row
from tasks.cases import paper_module
from tasks.common import DATA, parameters


def all_papers() -> list[str]:
    """The folders of ``papers/`` that have tables, in the order of these."""
    named = [found.name for found in pkgutil.iter_modules(papers.__path__) if found.ispkg]
    having = [paper for paper in named if importlib.util.find_spec(f"papers.{paper}.tables")]
    return sorted(having, key=lambda paper: (min(paper_module(paper, "tables").TABLES), paper))


def write_cells(rows: list[Row], case: Case, made_by: ModuleType, records: Records) -> None:
    """Write the rows of one cell.

    Args:
        rows: as the paper gives them.
        case: the cell.
        made_by: the paper's module, ``judge`` or an experiment.
        records: for the scale's name and its grid.
    """
    _, paper, name = made_by.__name__.split(".")
    stage = made_by.stage(case, records.settings()) if hasattr(made_by, "stage") else name
    known = {
        "paper": paper_name(paper),
        "dataset": case.dataset,
        "model": case.network,
        "watermark": case.watermark,
        "seed": case.seed,
        "stage": f"papers/{paper}/dvc.yaml:{stage}@{case}",
        "scale": records.scale,
    }
    frame = pd.DataFrame([{**known, **row} for row in rows], columns=COLUMNS).astype(TYPES)
    write_text(_path(paper, case, name), frame.to_csv(index=False))


def read_cells(paper: str, only: Case | None = None) -> pd.DataFrame:
    """The rows of a paper's cells that the scale in force multiplies out, and of no others.

    Args:
        paper: its folder.
        only: of this cell alone, and not of its further experiments.

    Raises:
        ParameterError: the scale lacks an entry.
        DatadeedError: a cell's file is missing or damaged.
    """
    if only is not None:
        return read_csv(_path(paper, only, "judge"))
    judge = paper_module(paper, "judge")
    try:
        cases = {"judge": judge.cases(parameters())}
        if hasattr(judge, "studies"):
            cases |= judge.studies(parameters())
    except KeyError as error:
        raise ParameterError(
            f"params.yaml has no entry {error.args[0]!r}, which papers/{paper} multiplies out: "
            "add it, or link params.yaml to a scale that has it"
        ) from error
    frames = [read_csv(_path(paper, case, name)) for name, found in cases.items() for case in found]
    return pd.concat([pd.DataFrame(columns=COLUMNS).astype(TYPES), *frames], ignore_index=True)


def paper_name(paper: str) -> str:
    """What the column ``paper`` calls the paper of a folder."""
    name: Any = getattr(paper_module(paper, "judge"), "PAPER", paper)
    return str(name)


def _path(paper: str, case: Case, name: str) -> Path:
    return DATA / "cells" / paper / (f"{case}.csv" if name == "judge" else f"{case}-{name}.csv")
