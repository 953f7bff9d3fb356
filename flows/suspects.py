"""The suspects of a flow: their names, and the table of what each run came to."""

import math
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.errors import PipelineError

COULD_NOT_TEST = "COULD NOT TEST"


@dataclass(frozen=True)
class Finding:
    """One line of the table: what a suspect's run came to; text, empty where there is none.

    Attributes:
        evidence: E, as a power of ten.
        queries: counted ones, spent so far.
    """

    suspect: str
    verdict: str
    evidence: str = ""
    queries: str = ""
    note: str = ""


def e_value(log_e: float) -> str:
    """E from its natural logarithm, rounded towards 0, as ``1e4.3``; the exponent is decimal."""
    tenths = math.floor(10 * max(-1e4, min(log_e, 1e4)) / math.log(10))
    if abs(tenths) > 3000:
        return "above 1e300" if tenths > 0 else "below 1e-300"
    return f"1e{tenths / 10:.1f}"


def suspects_by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """Suspects by the names of their files without ``.yaml``, which their folders take.

    Raises:
        PipelineError: two have one name, or one is not there.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise PipelineError(f"{path} does not exist: name a suspect's YAML file or folder")
        name = path.resolve().name if path.is_dir() else path.stem
        if name in found:
            raise PipelineError(f"{found[name]} and {path} are both called {name}: rename one")
        found[name] = path.resolve()
    return found


def suspects_in(folder: Path) -> dict[str, Path]:
    """Every YAML file of a folder, by name.

    Raises:
        PipelineError: there is no such folder, or no such file in it.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise PipelineError(f"{folder} has no suspect: put a YAML file of each there")
    return suspects_by_name(paths)


def finding_rows(findings: Sequence[Finding]) -> list[list[str]]:
    """The table with its header, all text."""
    return [[field.name for field in fields(Finding)], *(list(astuple(f)) for f in findings)]


def show(findings: Sequence[Finding]) -> None:
    """The table on standard output, no line cut where it goes to a file."""
    header, *rows = finding_rows(findings)
    shown = Table(box=None, pad_edge=False)
    for name in header:
        shown.add_column(name, no_wrap=name != "note")
    for row in rows:
        shown.add_row(*map(Text, row))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, file=sys.stdout).print(shown)
