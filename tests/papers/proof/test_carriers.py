"""The study of carriers: crops, the blur, and its table on toys."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, write_dataset
from datadeed.thieves.practice.augmentations import CROP
from papers.proof import carriers
from papers.proof.carriers import blurred, cropped, run
from tests.conftest import toy


class Seen(torch.nn.Module):
    """A model whose logits are what it was shown."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).float()


def test_crops_move_an_image_and_show_black_beyond_its_edge() -> None:
    images = torch.randint(1, 256, (200, 3, 12, 10), generator=torch.Generator().manual_seed(1))
    images = images.to(torch.uint8)
    labels = torch.zeros(200, dtype=torch.int64)
    moved = cropped(7)(Seen(), images, labels)[1].view(images.shape)  # type: ignore[arg-type]
    padded = torch.nn.functional.pad(images, (CROP,) * 4)
    places = set()
    for image, seen in zip(padded, moved.to(torch.uint8), strict=True):
        views = image.unfold(1, 12, 1).unfold(2, 10, 1)  # (C, 9, 9, H, W)
        found = (views == seen[:, None, None]).flatten(3).all(3).all(0).nonzero().tolist()
        assert len(found) == 1
        places.add(tuple(found[0]))
    assert {place[0] for place in places} == {place[1] for place in places} == set(range(9))
    again = cropped(7)(Seen(), images, labels)[1]  # type: ignore[arg-type]
    assert torch.equal(again, moved.flatten(1))


def test_the_blur_is_a_gaussian_of_half_a_pixel() -> None:
    image = torch.zeros((1, 1, 9, 9), dtype=torch.uint8)
    image[0, 0, 4, 4] = 255
    seen = blurred(image)[0, 0]
    assert seen[4, 4:7].tolist() == [158, 21, 0]
    assert torch.equal(seen, seen.T)


class ToyLab:
    """Gives a toy dataset and takes the table."""

    seed, device = 1, torch.device("cpu")

    def __init__(self, root: Path, data: Dataset, pool: Dataset):
        self.results, self._pool = root, pool
        write_dataset(data, root / "train.parquet")

    def settings(self, *keys: str) -> Any:
        training = {"epochs": 9, "lr": 0.05, "batch_size": 32, "schedule": "one-cycle"}
        network = {"network": "resnet18", "width": 2, "mean": [0.3] * 3, "std": [0.3] * 3}
        return {"second": ["toys"], "models": network | {"training": training}}[keys[0]]

    def params(self, *keys: str) -> Any:
        if keys == ("carriers", "carriers"):
            return {"patch": 12, "mosaic": 12}
        return 2

    def train(self, dataset: str) -> DatasetFile:
        return DatasetFile(self.results / "train.parquet")

    def test(self, dataset: str) -> Dataset:
        return self._pool

    @contextlib.contextmanager
    def progress(self, total: int, unit: str, text: str) -> Iterator[Callable[..., None]]:
        yield lambda done, note="": None


def test_a_row_a_suspect_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "ROWS", 360)
    monkeypatch.setattr(carriers, "EPOCHS", 1)
    data, pool = (toy(n, classes=4, shape=(3, 16, 16), seed=n) for n in (370, 110))
    run(ToyLab(tmp_path, data, pool))  # type: ignore[arg-type]
    table = pd.read_csv(tmp_path / "carriers.csv")
    thieves = ["thief", "thief, inputs blurred by 0.5"]
    assert table.suspect.tolist() == [*thieves, *thieves, "honest", "honest"]
    assert table.watermark.tolist() == ["patch", "patch", "mosaic", "mosaic", "patch", "mosaic"]
    assert table.marks.tolist() == [36, 36, 36, 36, 0, 0]
    assert table.accuracy.between(0, 1).all()
    assert (table.runs == 2).all()
    assert table.stage.unique().tolist() == ["papers/proof/dvc.yaml:carriers"]
