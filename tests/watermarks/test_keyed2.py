"""The second keyed watermark: labels among given classes, and decoys that are no parts."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.errors import KeyRecordError, WatermarkError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.keyed import random_trigger
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.registry import build_watermark, watermark_from_record

CLASSES = ("class 0", "class 1", "class 2", "class 3")
TARGETS = (0, 3)


def make(secret: int = 1, rows: int = 60, channels: int = 3, **values: Any) -> Key2:
    chosen: dict[str, Any] = {"parts": 4, "rate": 0.2, "targets": TARGETS, **values}
    design = Design2(classes=CLASSES, channels=channels, **chosen)
    return Key2(
        bytes([secret] * 32), bytes(32), design, Extent(rows, "00" * 32), Extent(9, "00" * 32)
    )


def test_known_bytes_of_patches(toy_dataset) -> None:  # type: ignore[no-untyped-def]
    """Whoever opens a key in ten years must get the same."""

    def digest(values: torch.Tensor) -> str:
        return hashlib.sha256(values.contiguous().numpy()).hexdigest()[:16]

    key, blank = make(), torch.full((1, 3, 28, 28), 100, dtype=torch.uint8)
    parts = [KeyPart2(key, part) for part in range(4)]
    released, marks = mark_dataset(Keyed2(key=key), toy_dataset(60, classes=4), torch.Generator())
    assert digest(torch.cat([part.stamp(blank) for part in parts])) == "53e3ee7308e14060"
    assert digest(torch.cat([part.decoy(blank, 7) for part in parts])) == "ffd9e116232da1aa"
    assert digest(released.samples) == "ac197f201784b751"
    assert digest(released.labels) == "eae3ac4e2f31cf5a"
    assert digest(marks.position) == "57a38ad5ffe3c5fb"


def test_marked_rows_get_patches_and_labels_of_their_parts(toy_dataset) -> None:  # type: ignore[no-untyped-def]
    key, before = make(), toy_dataset(60, classes=4)
    released, marks = mark_dataset(Keyed2(key=key), before, torch.Generator())
    hosts = carrier_of(key).hosts(before.labels.numpy())
    rows, parts = hosts.rows, hosts.parts
    assert marks.position.tolist() == rows.tolist()
    assert np.bincount(parts).tolist() == [3, 3, 3, 3]
    others = np.setdiff1d(np.arange(60), rows)
    assert torch.equal(released.samples[others], before.samples[others])
    assert torch.equal(released.labels[others], before.labels[others])
    for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
        alone = KeyPart2(key, part).stamp(before.samples[row : row + 1])[0]
        assert torch.equal(released.samples[row], alone)
        assert int(released.labels[row]) == key.target(part)
        assert int(released.labels[row]) in TARGETS


def test_decoys_are_of_the_same_law_but_other_triggers() -> None:
    key, blank = make(rows=10_000), torch.full((1, 3, 28, 28), 100, dtype=torch.uint8)
    seen = {}
    for part in Keyed2(key=key).parts:
        own = part.stamp(blank)
        for row in range(20):
            decoy = part.decoy(blank, row)
            assert decoy.shape == blank.shape
            assert not torch.equal(decoy, own)
            assert torch.equal(decoy, part.decoy(blank, row))  # again the same
            seen[part.part, row] = decoy.numpy().tobytes()
            trigger = random_trigger(key, 28, 28, "decoy", part.part, row)
            assert (trigger.box[2:], trigger.alpha) == ((5, 5), key.design.opacity)
    assert len(set(seen.values())) == len(seen)
    triggers = {part.stamp(blank).numpy().tobytes() for part in Keyed2(key=key).parts}
    assert not triggers & set(seen.values())


def test_images_of_other_channels_are_refused_with_trigger_and_decoy() -> None:
    grey = torch.zeros((1, 1, 28, 28), dtype=torch.uint8)
    part = KeyPart2(make(), 0)
    for ask in (part.stamp, lambda images: part.decoy(images, 0)):
        with pytest.raises(WatermarkError, match="1 channels, but the key was made for 3"):
            ask(grey)


def test_the_opacity_is_the_carriers() -> None:
    part = KeyPart2(make(carrier={"name": "patch", "opacity": 128}), 0)
    black = torch.zeros((1, 3, 28, 28), dtype=torch.uint8)
    for image in (part.stamp(black), part.decoy(black, 3)):
        assert set(image.unique().tolist()) <= {0, 127, 128}


def test_it_is_built_from_its_record_by_name() -> None:
    key = make()
    record = Keyed2(key=key).record()
    assert record["method"] == "keyed2"
    again = watermark_from_record(record)
    assert isinstance(again, Keyed2)
    assert again.key == key
    assert build_watermark("keyed2", key=key.record()).key == key  # type: ignore[attr-defined]
    with pytest.raises(KeyRecordError):
        Keyed2(key=key.record() | {"commitment": "00" * 32})


def test_the_key_of_another_dataset_is_refused() -> None:
    with pytest.raises(WatermarkError, match="other classes"):
        Keyed2(key=make()).check("image", ("a", "b"))
    with pytest.raises(WatermarkError, match="60 rows"):
        Keyed2(key=make()).select(torch.zeros(7, dtype=torch.int64), torch.Generator())
