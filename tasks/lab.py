"""The pipeline's artifacts and parameters, as :class:`papers.base.Lab` gives them to a paper."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.files import read_json
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.registry import model_class
from datadeed.models.stored import load_model
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.registry import watermark_from_record
from papers.base import Case
from tasks.common import DATA, Progress, parameters


class Lab:
    """Reads what stages wrote; see :class:`papers.base.Lab`.

    Args:
        paper: the folder whose ``params.yaml`` is meant.
    """

    def __init__(self, paper: str):
        self.figures = Path("papers") / paper
        self._params = self.figures / "params.yaml"
        self.seed: int = parameters("seed")
        self.scale: str = parameters("scale")
        self.results = Path(parameters("results"))
        self._device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))

    def params(self, *keys: str) -> Any:
        """An entry of the paper's parameters."""
        return parameters(*keys, file=self._params)

    def settings(self, *keys: str) -> Any:
        """An entry of the scale in force."""
        return parameters(*keys)

    def train(self, dataset: str, watermark: str = "none") -> DatasetFile:
        """The training set, benign or as released."""
        folder = DATA / "datasets" / dataset
        if watermark != "none":
            folder = DATA / "watermarked" / f"{dataset}-{watermark}"
        return DatasetFile(folder / "train.parquet")

    def test(self, dataset: str) -> Dataset:
        """The test set."""
        return read_dataset(DATA / "datasets" / dataset / "test.parquet")

    def watermark(self, dataset: str, watermark: str) -> Watermark:
        """The watermark of a marked set."""
        return watermark_from_record(self.record(dataset, watermark)["watermark"])

    def record(self, dataset: str, watermark: str, name: str = "key") -> dict[str, Any]:
        """``NAME.json`` beside a marked set."""
        found: dict[str, Any] = read_json(
            DATA / "watermarked" / f"{dataset}-{watermark}" / f"{name}.json"
        )
        return found

    def marks(self, dataset: str, watermark: str) -> torch.Tensor:
        """The rows that carry a mark."""
        path = DATA / "watermarked" / f"{dataset}-{watermark}" / "marks.parquet"
        return torch.from_numpy(pq.read_table(path)["position"].to_numpy().copy())

    def folder(self, case: Case) -> Path:
        """Where a trained model's files are."""
        return DATA / "models" / str(case)

    def model(self, case: Case) -> Model:
        """A trained model."""
        return self._load(self.folder(case))

    def last_surrogate(self, dataset: str, watermark: str) -> Model | None:
        """The surrogate that was trained last in crafting, if one was."""
        folder = DATA / "watermarked" / f"{dataset}-{watermark}" / "last-surrogate"
        return self._load(folder) if folder.exists() else None

    def _load(self, folder: Path) -> Model:
        modality = read_json(folder / "model.json")["config"].get("modality", "image")
        return load_model(folder, self._device, model_class(modality))

    @contextlib.contextmanager
    def progress(self, total: int, unit: str, text: str) -> Iterator[Callable[[int, str], None]]:
        """Tell how far a long work is."""
        with contextlib.closing(Progress(total, unit, text)) as bar:
            yield bar.update
