"""The keyed watermark: what it marks follows from the key, and from nothing else."""

import dataclasses

import numpy as np
import pytest
import torch

from datadeed.errors import WatermarkError
from datadeed.keys.key import Design, Extent, Key
from datadeed.watermarks.keyed import Keyed, KeyPart, random_trigger, target_label
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.registry import build_watermark, watermark_from_record

CLASSES = ("class 0", "class 1", "class 2")


def make(secret=1, rows=60, channels=3, **values):
    design = Design(classes=CLASSES, channels=channels, **{"parts": 4, "rate": 0.2, **values})
    return Key(
        bytes([secret] * 32), bytes(32), design, Extent(rows, "00" * 32), Extent(9, "00" * 32)
    )


class TestTrigger:
    @pytest.mark.parametrize(
        ("height", "width", "side"),
        [(8, 8, 5), (28, 28, 5), (32, 48, 5), (64, 64, 10), (224, 300, 30)],
    )
    def test_size_and_place(self, height, width, side):
        margin = min(height, width) // 16
        for part in range(50):
            top, left, *size = random_trigger(make(), height, width, "trigger", part).box
            assert size == [side, side]
            assert margin <= top <= height - side - margin
            assert margin <= left <= width - side - margin

    def test_places_reach_all_corners(self):
        boxes = [random_trigger(make(), 28, 40, "trigger", n).box for n in range(2000)]
        assert {box[0] for box in boxes} == set(range(1, 28 - 5))
        assert {box[1] for box in boxes} == set(range(1, 40 - 5))

    def test_a_patch_is_its_own_mirror_image_and_holds_extremes_only(self):
        for part in range(20):
            pattern = random_trigger(make(), 64, 64, "trigger", part).pattern
            assert pattern.shape == (10, 10)
            assert torch.equal(pattern, pattern.flip(1))
            assert set(pattern.unique().tolist()) <= {0, 255}

    def test_cells_are_fair_coins(self):
        cells = torch.stack(
            [random_trigger(make(), 28, 28, "trigger", n).pattern[:, :3] for n in range(1200)]
        )
        assert abs(float((cells > 0).float().mean()) - 0.5) < 0.01  # 18,000 bits: 2.7 sigma
        assert float((cells > 0).float().mean(0).sub(0.5).abs().max()) < 0.1  # 1,200 bits: 7 sigma

    def test_the_same_patch_at_every_scale(self):
        small = random_trigger(make(), 32, 32, "trigger", 1).pattern
        large = random_trigger(make(), 224, 224, "trigger", 1).pattern
        assert torch.equal(large, small.repeat_interleave(6, 0).repeat_interleave(6, 1))

    def test_opacity_comes_from_the_design(self):
        assert random_trigger(make(opacity=51), 8, 8, "trigger", 0).alpha == 51

    def test_too_small_an_image(self):
        with pytest.raises(WatermarkError, match="7x9 are too small"):
            random_trigger(make(), 7, 9, "trigger", 0)


def test_another_secret_gives_another_watermark():
    one, two = make(1), make(2)
    assert one.permutation("rows", count=60).tolist() != two.permutation("rows", count=60).tolist()
    first, second = (random_trigger(key, 28, 28, "trigger", 0) for key in (one, two))
    assert not torch.equal(first.pattern, second.pattern)


def test_targets_do_not_depend_on_triggers():
    """Exactness rests on uniform labels: count them for both values of one cell of the pattern."""
    counts = np.zeros((2, 3))
    for secret in range(250):
        for part in range(4):
            key = make(secret)
            cell = int(random_trigger(key, 8, 8, "trigger", part).pattern[0, 0] > 0)
            counts[cell, target_label(key, part)] += 1
    expected = counts.sum(1, keepdims=True) / 3
    assert ((counts - expected) ** 2 / expected).sum() < 18.5  # chi-square, 4 degrees: 0.001


class TestMarking:
    def test_parts_share_the_rows_and_nothing_else_changes(self, toy_dataset):
        data, key = toy_dataset(), make()
        released, marks = mark_dataset(Keyed(key=key), data, torch.Generator())
        rows, parts = Keyed(key=key).rows()
        assert marks.position.tolist() == rows.tolist()
        assert len(rows) == 12
        assert np.bincount(parts).tolist() == [3, 3, 3, 3]
        others = np.setdiff1d(np.arange(60), rows)
        assert torch.equal(released.samples[others], data.samples[others])
        assert torch.equal(released.labels[others], data.labels[others])
        for row, part in zip(rows, parts, strict=True):
            wanted = KeyPart(key, int(part)).stamp(data.samples[row : row + 1])[0]
            assert torch.equal(released.samples[row], wanted)
            assert released.labels[row] == target_label(key, int(part))

    def test_the_generator_is_not_used(self, toy_dataset):
        one, two = (
            mark_dataset(Keyed(key=make()), toy_dataset(), torch.Generator().manual_seed(seed))[0]
            for seed in (1, 2)
        )
        assert one.digest() == two.digest()

    def test_another_dataset_is_refused(self, toy_dataset):
        with pytest.raises(WatermarkError, match="made for 60 rows, but there are 61"):
            mark_dataset(Keyed(key=make()), toy_dataset(61), torch.Generator())
        with pytest.raises(WatermarkError, match="made for 3 other classes"):
            mark_dataset(Keyed(key=make()), toy_dataset(60, classes=4), torch.Generator())
        grey = toy_dataset(60, shape=(1, 8, 8))
        with pytest.raises(WatermarkError, match="1 channels, but the key was made for 3"):
            mark_dataset(Keyed(key=make()), grey, torch.Generator())

    def test_there_is_no_single_trigger(self, toy_dataset):
        with pytest.raises(WatermarkError, match="one of its parts"):
            Keyed(key=make()).trigger(toy_dataset())


def test_a_part_is_a_targeted_watermark_of_its_own(toy_dataset):
    data, part = toy_dataset(), Keyed(key=make()).parts[2]
    assert part.target == target_label(make(), 2)
    marked = part.mark(data, torch.arange(60))
    assert torch.equal(marked.samples, part.trigger(data))
    assert set(marked.labels.tolist()) == {part.target}


def test_record_round_trip():
    record = Keyed(key=make()).record()
    assert watermark_from_record(record).key == make()
    assert build_watermark("keyed", key=make().record()).key == make()


def test_a_changed_design_is_another_key():
    key = make()
    other = dataclasses.replace(key, design=dataclasses.replace(key.design, rate=0.3))
    assert Keyed(key=other).rows()[0].tolist() != Keyed(key=key).rows()[0].tolist()
