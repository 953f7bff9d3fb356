"""A paper's modules and cells, by the names on a command line."""

import argparse
import importlib
from typing import Any

from datadeed.errors import ParameterError
from papers.base import Case


def paper_module(paper: str, name: str) -> Any:
    """A module of a paper, imported, with none of its others.

    Raises:
        ParameterError: there is no such paper, or it has no such module.
    """
    try:
        return importlib.import_module(f"papers.{paper}.{name}")
    except ModuleNotFoundError as error:
        if error.name not in (f"papers.{paper}", f"papers.{paper}.{name}"):
            raise
        raise ParameterError(
            f"papers/{paper}/{name}.py does not exist: name a folder of papers/ that has it"
        ) from error


def case_arguments(description: str | None) -> tuple[str, Case]:
    """A paper's folder and one of its cells, of the command line."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("paper", "dataset", "network", "watermark"):
        parser.add_argument(name)
    parser.add_argument("seed", type=int)
    values = parser.parse_args()
    return values.paper, Case(values.dataset, values.network, values.watermark, values.seed)
