"""What every paper is given, and what it gives back.

A paper is a folder here. Its modules, each found by its name, none of them obligatory:

- ``ask``: ``ask(case, lab) -> pyarrow.Table``, every answer of one cell's suspects, for later use;
- ``judge``: ``judge(answers, case, lab) -> list[Row]``, what the tests make of them;
- ``tables``: ``TABLES``, ``{number: title}``, ``CLAIMED``, ``{number: what the paper says}``, and
  ``tables(cells) -> {number: DataFrame}``;
- ``claims``: ``claims(cells) -> list[Claim]``;
- ``section``: ``section(cells, lab) -> dict | None``, what ``section.html`` shows; None where the
  scale has nothing of the paper.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile
from datadeed.models.model import Model
from datadeed.watermarks.base import Watermark

# One number: the columns of ``cells.csv`` that its stage does not know already, which are
# ``table, scenario, metric, value, n`` and, where a source states the figure, ``published``. A row
# whose ``table`` is None stands in no published table: only the paper's section shows it.
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One cell's names; ``watermark`` is "none" for an honest model."""

    dataset: str
    network: str
    watermark: str
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset}-{self.network}-{self.watermark}-{self.seed}"


class Lab(Protocol):
    """The artifacts and parameters of the pipeline, read for a paper that knows no files."""

    seed: int
    scale: str
    results: Path  # the folder of the scale's tables
    figures: Path  # the paper's own folder, for the pictures that its README shows

    def params(self, *keys: str) -> Any:
        """An entry of the paper's own ``params.yaml``."""

    def settings(self, *keys: str) -> Any:
        """An entry of the scale in force."""

    def train(self, dataset: str, watermark: str = "none") -> DatasetFile:
        """The training set, benign or as released."""

    def test(self, dataset: str) -> Dataset:
        """The test set."""

    def watermark(self, dataset: str, watermark: str) -> Watermark:
        """The watermark of a marked set, as its secret record gives it."""

    def record(self, dataset: str, watermark: str, name: str = "key") -> dict[str, Any]:
        """``NAME.json`` beside a marked set: ``key``, or ``craft`` where it was crafted."""

    def marks(self, dataset: str, watermark: str) -> Any:
        """(M,) int64, ascending: the rows that carry a mark."""

    def model(self, case: Case) -> Model:
        """A trained model."""

    def last_surrogate(self, dataset: str, watermark: str) -> Model | None:
        """The surrogate that was trained last in crafting, if one was."""

    def folder(self, case: Case) -> Path:
        """Where a trained model's files are."""

    def progress(
        self, total: int, unit: str, text: str
    ) -> AbstractContextManager[Callable[[int, str], None]]:
        """Tell how far a long work is: yields a function of the units done and a note."""
