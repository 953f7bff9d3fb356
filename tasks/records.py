"""The pipeline's parameters and small artifacts, as :class:`papers.base.Records` gives them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.errors import DatadeedError
from datadeed.files import read_json
from papers.base import Case
from tasks.common import DATA, parameters


class Records:
    """Reads what stages wrote; see :class:`papers.base.Records`.

    Args:
        paper: the folder whose ``params.yaml`` is meant.
    """

    def __init__(self, paper: str):
        self.paper = paper
        self.seed: int = parameters("seed")
        self.scale: str = parameters("scale")

    def params(self, *keys: str) -> Any:
        """An entry of the paper's parameters."""
        return parameters(*keys, file=f"papers/{self.paper}/params.yaml")

    def settings(self, *keys: str) -> Any:
        """An entry of the scale in force."""
        return parameters(*keys)

    def train(self, dataset: str, watermark: str = "none") -> DatasetFile:
        """The training set, benign or as released."""
        folder = DATA / "datasets" / dataset
        if watermark != "none":
            folder = _marked(dataset, watermark)
        return DatasetFile(folder / "train.parquet")

    def test(self, dataset: str) -> Dataset:
        """The test set."""
        return read_dataset(DATA / "datasets" / dataset / "test.parquet")

    def test_file(self, dataset: str) -> DatasetFile:
        """The test set, not read yet."""
        return DatasetFile(DATA / "datasets" / dataset / "test.parquet")

    def record(self, dataset: str, watermark: str, name: str = "key") -> dict[str, Any]:
        """``NAME.json`` beside a marked set."""
        found: dict[str, Any] = read_json(_marked(dataset, watermark) / f"{name}.json")
        return found

    def marks(self, dataset: str, watermark: str) -> torch.Tensor:
        """The rows that carry a mark."""
        table = read_table(_marked(dataset, watermark) / "marks.parquet", "marks")
        return torch.tensor(table["position"].to_pylist(), dtype=torch.int64)

    def folder(self, case: Case) -> Path:
        """Where a trained model's files are."""
        return DATA / "models" / str(case)


def _marked(dataset: str, watermark: str) -> Path:
    return DATA / "watermarked" / f"{dataset}-{watermark}"


def read_table(path: Path, what: str) -> pa.Table:
    """A Parquet file of ours.

    Raises:
        DatadeedError: it is missing or damaged.
    """
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DatadeedError(f"{path} holds no {what} ({reason}): write it again") from error
