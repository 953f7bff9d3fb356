"""Whether a key's patches are found in pictures that have them, and in no others."""

from typing import Any

import numpy as np
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.key import Design, Extent, Key
from datadeed.thieves.inversion.pictures import Pictures
from datadeed.watermarks.keyed import KeyPart, target_label
from papers.ensemble_inversion.marks import fit, judged, sheet

CLASSES = tuple(map(str, range(10)))


class Lab:
    """Few decoys."""

    def params(self, *keys: str) -> int:
        assert keys == ("decoys",)
        return 99


LAB: Any = Lab()


def a_key() -> Key:
    extent = Extent(60, "ab" * 32)
    return Key.new(Design(CLASSES, 1, parts=6, rate=0.5), extent, extent)


def noise(seed: int = 0) -> Pictures:
    """Five grey pictures of each class."""
    draw = torch.Generator().manual_seed(seed)
    samples = torch.randint(0, 256, (50, 1, 16, 16), generator=draw, dtype=torch.uint8)
    data = Dataset(samples, torch.arange(50) % 10, torch.arange(50), CLASSES)
    return Pictures(data, torch.zeros(50), torch.ones(50))


def found(key: Key, pictures: Pictures) -> tuple[float, float]:
    values = {row["metric"]: row["value"] for row in judged(key, pictures, LAB)}
    return values["fit"], values["p"]


def test_a_patch_that_is_there_is_found() -> None:
    key, pictures = a_key(), noise()
    samples = pictures.data.samples
    for part in range(key.design.parts):
        rows = pictures.data.labels == target_label(key, part)
        samples[rows] = KeyPart(key, part).stamp(samples[rows])
    value, p = found(key, pictures)
    assert value > 0.5  # parts of one label may lie on each other
    assert p == pytest.approx(0.01)


def test_noise_gives_any_rank() -> None:
    """Uniform in law: of 40 keys 12 or more lie below 0.1 once in 2,000 runs."""
    ranks = [found(a_key(), noise(seed))[1] for seed in range(40)]
    assert np.mean(np.array(ranks) <= 0.1) < 0.3
    assert np.std(ranks) > 0.15


def test_fit_by_hand() -> None:
    pattern = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8)
    assert fit([pattern.double()], [pattern]) == pytest.approx(1)
    assert fit([255 - pattern.double()], [pattern]) == pytest.approx(-1)
    assert fit([torch.ones(2, 2), pattern.double()], [pattern, pattern]) == pytest.approx(0.5)


def test_the_figure_has_a_column_a_part() -> None:
    assert sheet(a_key(), {"thief": noise()}).startswith(b"\x89PNG")
