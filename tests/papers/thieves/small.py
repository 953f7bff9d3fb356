"""A small league: a lab without pipelines, whose models are trained for an epoch on 160 images."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import torch
import yaml

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, write_dataset

ROOT = Path(__file__).parents[3]
TUNING = {"steps": 2, "lr": 0.01, "every": 2}
CHANGED: dict[str, Any] = {
    "design": {"rate": 0.1, "budget": 60},
    "carriers": {"patch": {"name": "patch", "opacity": 255}, "mosaic": {"name": "mosaic"}},
    "pool": 40,
    "runs": 2,
    "keys": 2,
    "repair": {
        "trusted": [0.1, 0.2],
        "budget": 0.5,
        "held_out": 0.25,
        "methods": {
            "fine-tuning": TUNING,
            "pivotal-tuning": TUNING,
            "slow": {"method": "fine-tuning", **TUNING, "lr": 1e-6},
        },
        "relearn": {"after": ["fine-tuning"], "trusted": 0.1, "epochs": 1, "lr": 0.02},
    },
    "cleaning": {"share": 0.1, "learnt": {"rows": 80, "epochs": 2, "width": 4}},
}
SCALE: dict[str, Any] = {
    "thieves": {
        "datasets": ["waves"],
        "carriers": ["patch", "mosaic"],
        "in_full": ["patch"],
        "seeds": [1],
        "more_keys": [],
        "training": {
            "waves": {
                **{"rows": 160, "parts": 4, "epochs": 1, "width": 4, "lr": 0.1},
                **{"mean": [0.5], "std": [0.2]},
            }
        },
    }
}


def waves(n: int, seed: int) -> Dataset:
    """Grey images of 16 x 16 in three classes: lighter to the right, to the left, or below."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    ramp = torch.linspace(-50, 50, 16)
    slopes = torch.stack([ramp.expand(16, 16), -ramp.expand(16, 16), ramp[:, None].expand(16, 16)])
    level = 40 * torch.rand(n, 1, 1, generator=draw) + 110
    grain = 8 * torch.randn(n, 16, 16, generator=draw)
    samples = (level + slopes[labels] + grain).round().clamp(0, 255).to(torch.uint8)[:, None]
    return Dataset(samples, labels, torch.arange(n), ("right", "left", "below"))


class SmallLab:
    """A :class:`papers.base.Lab`, as far as the league asks it."""

    seed, scale, device = 7, "small", torch.device("cpu")

    def __init__(self, folder: Path):
        self.studies = self.results = folder
        own = yaml.safe_load((ROOT / "papers/thieves/params.yaml").read_text())
        self._params = {**own, **CHANGED}
        write_dataset(waves(360, 1), folder / "train.parquet")

    def params(self, *keys: str) -> Any:
        """An entry."""
        return reduce(lambda values, key: values[key], keys, self._params)

    def settings(self, *keys: str) -> Any:
        """An entry."""
        return reduce(lambda values, key: values[key], keys, SCALE)

    def train(self, dataset: str) -> DatasetFile:
        """360 images."""
        return DatasetFile(self.studies / "train.parquet")

    def test(self, dataset: str) -> Dataset:
        """90 others."""
        return waves(90, 2)

    @contextmanager
    def progress(self, total: int, unit: str, text: str) -> Iterator[Any]:
        """Nobody listens."""
        yield lambda done, note, **_: None
