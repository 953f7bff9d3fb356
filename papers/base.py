"""What every paper is given, and what it gives back.

A paper is a package here, found by its folder; docs/add-a-paper.md walks through one. Its modules,
each found by its name:

- ``ask``: ``ask(case, lab) -> pyarrow.Table``, every answer of one cell's suspects, for later use;
- ``judge``: ``cases(settings) -> list[Case]``, the cells of a scale, and
  ``judge(answers, case, records) -> list[Row]``, what the tests make of one cell's answers. It may
  also have ``PAPER``, the name in the column ``paper`` where that is not the folder's;
  ``stage(case, settings) -> str``, the stage of ``dvc.yaml`` where that is not "judge"; and
  ``studies(settings) -> dict[str, list[Case]]``, experiments whose rows are cells as well;
- an experiment's module: ``run(lab, *words) -> list[Row] | None``, rows where ``studies`` names it
  (its words are then a case's); ``stage(case, settings)`` as above;
- ``tables``: ``TABLES``, ``{number: title}``, ``CLAIMED``, ``{number: what the paper says}``, and
  ``tables(cells) -> {number: DataFrame}``;
- ``claims``: ``claims(cells) -> list[Claim]``;
- ``section``: ``section(cells, lab) -> dict | None``, the names that ``section.html`` uses, among
  them ``title``, the paper's own; None where the scale has nothing of the paper.

``tables`` and ``claims`` get the cells that stand in a table, ``section`` all of the paper's.
"""

import itertools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile

if TYPE_CHECKING:  # who judges needs none of them
    import torch

    from datadeed.models.model import Model
    from datadeed.watermarks.base import Watermark

# One number: the columns of ``cells.csv`` that its stage does not know already, which are
# ``table, scenario, metric, value, n`` and, where a source states the figure, ``published``; also
# ``watermark`` where it is not the case's, as of an honest model. A row whose ``table`` is None
# stands in no published table: only the paper's section of the page uses it.
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


def grid(section: Mapping[str, list[Any]]) -> list[Case]:
    """The cases that ``datasets, networks, watermarks, seeds`` multiply out."""
    axes = (section[axis] for axis in ("datasets", "networks", "watermarks", "seeds"))
    return [Case(*names) for names in itertools.product(*axes)]


class Records(Protocol):
    """The parameters and the small artifacts of the pipeline, for a paper that knows no files."""

    seed: int
    scale: str

    def params(self, *keys: str) -> Any:
        """An entry of the paper's own ``params.yaml``."""

    def settings(self, *keys: str) -> Any:
        """An entry of the scale in force."""

    def train(self, dataset: str, watermark: str = "none") -> DatasetFile:
        """The training set, benign or as released; nothing is read yet."""

    def test(self, dataset: str) -> Dataset:
        """The test set."""

    def test_file(self, dataset: str) -> DatasetFile:
        """The test set; nothing is read yet."""

    def record(self, dataset: str, watermark: str, name: str = "key") -> dict[str, Any]:
        """``NAME.json`` beside a marked set: ``key``, or ``craft`` where it was crafted."""

    def marks(self, dataset: str, watermark: str) -> Any:
        """(M,) int64, ascending: the rows that carry a mark."""

    def folder(self, case: Case) -> Path:
        """Where a trained model's files are."""


class Lab(Records, Protocol):
    """What is needed besides to ask and to show: models and watermarks."""

    results: Path  # the folder of the scale's tables
    figures: Path  # the paper's own folder, for the pictures that its README shows
    studies: Path  # the folder of what the paper's experiments keep for each other
    checkpoints: Path  # the folder of unfinished work
    device: "torch.device"  # where models are

    def watermark(self, dataset: str, watermark: str) -> "Watermark":
        """The watermark of a marked set, as its secret record gives it."""

    def build(self, dataset: str, watermark: str, **changed: Any) -> "Watermark":
        """The watermark that the paper's parameters describe; no crafting has been done for it.

        Values of ``changed`` are others than the parameters say.
        """

    def model(self, case: Case) -> "Model":
        """A trained model."""

    def last_surrogate(self, dataset: str, watermark: str) -> "Model | None":
        """The surrogate that was trained last in crafting, if one was."""

    def progress(
        self, total: int, unit: str, text: str
    ) -> AbstractContextManager[Callable[..., None]]:
        """Tell how far a long work is: yields a function of the units done and a note.

        With ``resumed=True`` it is told of units that were done before this process began.
        """
