"""A detector that is trained on marks of the thief's own keys."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.thieves.cleaning.learnt import Learnt, OwnMarks
from datadeed.thieves.outliers import search
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset

PATCH: dict[str, Any] = {"name": "patch", "opacity": 255}
MOSAIC: dict[str, Any] = {"name": "mosaic"}


def waves(n: int, size: int = 16) -> Dataset:
    """Grey images without edges, of two classes: lighter to the right, or to the left."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    slope = torch.where(labels == 1, 1.0, -1.0).view(-1, 1, 1, 1)
    across = torch.linspace(-1, 1, size).expand(n, 1, size, size)
    level = 60 * torch.rand(n, 1, 1, 1, generator=draw) + 100
    samples = (level + 50 * slope * across).round().to(torch.uint8)
    return Dataset(samples, labels, torch.arange(n), ("left", "right"))


def released(data: Dataset, carrier: dict[str, Any]) -> tuple[Dataset, np.ndarray]:
    design = Design2(
        classes=data.classes, channels=1, targets=(0, 1), parts=4, rate=0.1, carrier=carrier
    )
    extent = Extent(len(data), "00" * 32)
    secret = hashlib.sha256(b"an owner").digest()
    watermark = Keyed2(key=Key2(secret, secret, design, extent, extent), data=data)
    made, marks = mark_dataset(watermark, data, torch.Generator())
    marked = np.zeros(len(data), dtype=bool)
    marked[marks.position.numpy()] = True
    return made, marked


@pytest.mark.parametrize("carrier", [PATCH, MOSAIC], ids=lambda carrier: carrier["name"])
def test_about_half_of_the_rows_carry_a_mark_of_fresh_keys(carrier: dict[str, Any]) -> None:
    data = waves(200)
    shown, marked = OwnMarks(carriers=[carrier], parts=4, rows=100)(data)
    assert 0.4 <= float(marked.double().mean()) <= 0.5
    changed = (shown.samples != data.samples).flatten(1).any(1)
    assert torch.equal(changed, marked)
    assert torch.equal(shown.index, data.index)
    again, _ = OwnMarks(carriers=[carrier], parts=4, rows=100)(data)
    assert torch.equal(shown.samples, again.samples)
    other, _ = OwnMarks(carriers=[carrier], parts=4, rows=100, seed=1)(data)
    assert not torch.equal(shown.samples, other.samples)


def test_marks_are_of_another_key_every_so_many_rows() -> None:
    data = waves(200)
    flat = data.replace(samples=torch.full_like(data.samples, 90), labels=data.labels)
    shown, marked = OwnMarks(carriers=[PATCH], parts=4, rows=50)(flat)
    looks = [
        {image.numpy().tobytes() for image in shown.samples[start : start + 50][here]}
        for start in range(0, 200, 50)
        if (here := marked[start : start + 50]) is not None
    ]
    assert [len(found) for found in looks] == [4] * 4
    assert len(set().union(*looks)) == 16


def test_families_take_turns() -> None:
    data = waves(200)
    shown, marked = OwnMarks(carriers=[PATCH, MOSAIC], parts=4, rows=100)(data)
    changed = (shown.samples != data.samples).double().mean((1, 2, 3))
    assert float(changed[:100][marked[:100]].max()) < 0.15  # 5 x 5 of 16 x 16 pixels
    assert float(changed[100:][marked[100:]].min()) > 0.3  # the whole image is mixed


@pytest.mark.parametrize("carrier", [PATCH, MOSAIC], ids=lambda carrier: carrier["name"])
def test_the_owners_marks_are_found_though_the_keys_were_others(carrier: dict[str, Any]) -> None:
    release, marked = released(waves(400), carrier)
    marks = OwnMarks(carriers=[carrier], parts=4, rows=25)
    told: list[int] = []
    detector = Learnt(
        marks=marks, epochs=24, width=4, lr=0.03, on_progress=lambda done, note: told.append(done)
    )
    scores = detector(release, generator=torch.Generator().manual_seed(1))
    assert scores.shape == (400,)
    assert 0 <= scores.min() <= scores.max() <= 1
    found = search(scores, marked, share=0.1)
    assert found.recall > 0.6
    assert found.above > 0.8
    assert max(told) == 24 * 200


def test_the_same_seed_gives_the_same_scores() -> None:
    detector = Learnt(
        marks=OwnMarks(carriers=[PATCH], parts=2, rows=20), epochs=1, width=2, rows=30
    )
    release, _ = released(waves(80), PATCH)
    assert np.array_equal(
        detector(release, generator=torch.Generator().manual_seed(1)),
        detector(release, generator=torch.Generator().manual_seed(1)),
    )


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DatasetError):
        Learnt(marks=OwnMarks())(waves(3), generator=torch.Generator())
