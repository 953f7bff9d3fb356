import hashlib
import json

import pytest
import torch

from datadeed.datasets.form import columns as columns_module
from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import CheckpointError, UnsupportedModality, WatermarkError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Design, Extent, Key
from datadeed.models.training.config import TrainingConfig
from datadeed.randomness import generator
from datadeed.watermarks import label_consistent
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.label_consistent import LabelConsistent
from datadeed.watermarks.marking import mark_dataset, mark_file
from datadeed.watermarks.names import WATERMARKS
from datadeed.watermarks.registry import (
    build_watermark,
    watermark_class,
    watermark_from_record,
)

SHAPE = (3, 16, 16)


def make(**values):
    chosen = {"rate": 0.25, "target": 1, "image_size": (16, 16), "size": 3, "epsilon": 8}
    return build_watermark("label-consistent", **{**chosen, "step": 1.5, "steps": 4, **values})


@pytest.fixture(scope="module")
def data(toy_dataset):
    return toy_dataset(61, shape=SHAPE)


@pytest.fixture(scope="module")
def surrogate(tiny_model):
    return Surrogate(tiny_model(shape=SHAPE, width=4), TrainingConfig(epochs=1, lr=0.1))


@pytest.fixture(scope="module")
def crafted(data, surrogate):
    watermark = make()
    watermark.craft(data, surrogate, generator(5))
    return watermark


def outside(watermark):
    """(H, W) bool, True where no corner lies."""
    free = torch.ones(watermark.image_size, dtype=torch.bool)
    for top, left, height, width in (corner.box for corner in watermark.corners):
        free[top : top + height, left : left + width] = False
    return free


class TestMarking:
    def test_labels_stay_and_the_share_is_exact(self, data, crafted):
        before = data.digest()
        released, marks = mark_dataset(crafted, data, generator(1))
        assert data.digest() == before
        assert len(marks) == 15  # floor(0.25 * 61) of all rows, out of 20 of the target class
        assert bool((marks.label == 1).all())
        assert torch.equal(released.labels, data.labels)
        touched = torch.zeros(61, dtype=torch.bool)
        touched[marks.position] = True
        assert torch.equal(released.samples[~touched], data.samples[~touched])

    @pytest.mark.parametrize("epsilon", [1, 8, 255])
    def test_the_bound_holds_exactly_outside_the_corners(self, data, surrogate, epsilon):
        watermark = make(epsilon=epsilon, step=epsilon / 2)
        watermark.craft(data, surrogate, generator(5))
        released, marks = mark_dataset(watermark, data, generator(1))
        change = (released.samples.int() - data.samples.int())[marks.position].abs()
        free = outside(watermark)
        assert int((~free).sum()) == 4 * 9
        assert int(change[:, :, free].max()) <= epsilon
        if epsilon < 255:  # sign steps of half the bound reach it
            assert int(change[:, :, free].max()) == epsilon
        assert bool((change[:, :, free] > 0).flatten(1).any(1).all())

    def test_the_corners_carry_the_pattern(self, data, crafted):
        released, marks = mark_dataset(crafted, data, generator(1))
        for samples in (released.samples[marks.position], crafted.trigger(data)):
            right = torch.tensor([[0, 0, 255], [0, 255, 0], [255, 0, 255]])
            for rows in (slice(0, 3), slice(13, 16)):
                assert bool((samples[:, :, rows, 13:] == right).all())
                assert bool((samples[:, :, rows, :3] == right.flip(1)).all())

    def test_the_trigger_is_the_corners_alone_and_survives_a_flip(self, data, crafted):
        asked = crafted.trigger(data)
        free = outside(crafted)
        assert torch.equal(asked[:, :, free], data.samples[:, :, free])
        mirrored = data.replace(samples=data.samples.flip(3), labels=data.labels)
        assert torch.equal(crafted.trigger(mirrored), asked.flip(3))

    def test_the_surrogate_loses_trust_in_the_true_label(self, data, surrogate, crafted):
        """Outside the corners only, so that it is the perturbation that is measured."""
        released, marks = mark_dataset(crafted, data, generator(1))
        free, benign = outside(crafted), data.samples[marks.position]
        perturbed = torch.where(free, released.samples[marks.position], benign)
        before = surrogate.model.predict(benign)[:, 1]
        after = surrogate.model.predict(perturbed)[:, 1]
        assert float(after.mean()) < float(before.mean())

    def test_files_and_memory_agree(self, tmp_path, monkeypatch, data, crafted):
        released, marks = mark_dataset(crafted, data, generator(1))
        monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", 768 * 7)
        write_dataset(data, tmp_path / "in.parquet")
        source, digests = DatasetFile(tmp_path / "in.parquet"), set()
        for name in "ab":
            found = mark_file(crafted, source, tmp_path / name, generator(1))
            digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
        assert read_dataset(tmp_path / "a").digest() == released.digest()
        assert found.table().equals(marks.table())
        assert len(digests) == 1

    def test_the_generator_decides_the_rows(self, data, surrogate, crafted):
        positions, released = [], []
        for seed in (5, 6):
            watermark = make()
            watermark.craft(data, surrogate, generator(seed))
            positions.append(watermark.select(data.labels, generator(0)).tolist())
            released.append(mark_dataset(watermark, data, generator(0))[0].digest())
        assert positions[0] == crafted.select(data.labels, generator(9)).tolist() != positions[1]
        assert released[0] == mark_dataset(crafted, data, generator(9))[0].digest() != released[1]


class TestCheckpoint:
    """15 images in parts of 4."""

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch):
        monkeypatch.setattr(label_consistent, "PART", 4)

    def craft(self, data, surrogate, folder, fingerprint="one"):
        told, watermark = [], make()
        watermark.craft(
            data,
            surrogate,
            generator(5),
            checkpoint=folder,
            fingerprint=fingerprint,
            on_progress=lambda done, total, note, resumed: told.append((done, total, resumed)),
        )
        return told, mark_dataset(watermark, data, generator(1))[0].digest()

    def test_a_killed_crafting_goes_on(self, tmp_path, monkeypatch, data, surrogate):
        told, whole = self.craft(data, surrogate, tmp_path / "a")
        assert told == [(4, 15, False), (8, 15, False), (12, 15, False), (15, 15, False)]
        real, calls = label_consistent.pgd, []

        def killed(*args, **values):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return real(*args, **values)

        monkeypatch.setattr(label_consistent, "pgd", killed)
        with pytest.raises(KeyboardInterrupt):
            self.craft(data, surrogate, tmp_path / "b")
        told, again = self.craft(data, surrogate, tmp_path / "b")
        assert told == [(4, 15, True), (8, 15, True), (12, 15, False), (15, 15, False)]
        assert again == whole
        assert len(calls) == 5
        assert self.craft(data, surrogate, None)[1] == whole

    def test_state_of_another_crafting_is_refused(self, tmp_path, data, surrogate):
        self.craft(data, surrogate, tmp_path)
        with pytest.raises(CheckpointError, match="belongs to another run") as caught:
            self.craft(data, surrogate, tmp_path, "two")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"\0" * 100, b"cut"], ids=["empty", "zeros", "cut"])
    def test_a_damaged_part_is_one_line(self, tmp_path, data, surrogate, content):
        self.craft(data, surrogate, tmp_path)
        path = tmp_path / "pgd" / "8.safetensors"
        path.write_bytes(path.read_bytes()[:-50] if content == b"cut" else content)
        with pytest.raises(CheckpointError, match=r"8\.safetensors is damaged") as caught:
            self.craft(data, surrogate, tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilon": 0}, "epsilon is 0: give a whole number of 255ths, from 1 to 255"),
        ({"epsilon": 256}, "epsilon is 256"),
        ({"epsilon": 8 / 255}, "epsilon is 0.03"),
        ({"size": 4}, "multiple of 3"),
        ({"size": 9}, "size is 9; give a multiple of 3 from 3 to 8"),
        ({"size": 0}, "size is 0"),
        ({"size": 3.0}, "size is 3.0"),
        ({"steps": 0}, "0 steps"),
        ({"step": 0}, "steps of 0/255"),
        ({"step": float("nan")}, "steps of nan/255"),
        ({"rate": 0}, "out of range"),
        ({"source": 0}, "unexpected .*'source'"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


class TestRefusals:
    def test_more_marks_than_the_target_class_has(self, data, surrogate):
        with pytest.raises(WatermarkError, match=r"only 20 rows have the target label: .* 0\.3279"):
            make(rate=0.5).craft(data, surrogate, generator(1))

    def test_no_surrogate(self, data):
        with pytest.raises(WatermarkError, match="none was given"):
            make().craft(data, None, generator(1))

    def test_nothing_crafted_yet(self, data):
        with pytest.raises(WatermarkError, match="craft them against a surrogate first"):
            mark_dataset(make(), data, generator(1))

    def test_a_surrogate_for_other_data(self, data, tiny_model):
        other = Surrogate(tiny_model(shape=(1, 16, 16)), TrainingConfig(epochs=1, lr=0.1))
        with pytest.raises(WatermarkError, match=r"surrogate takes samples of \(1, 16, 16\)"):
            make().craft(data, other, generator(1))

    def test_images_of_another_size(self, data, surrogate):
        with pytest.raises(WatermarkError, match=r"made for images of \(8, 8\)"):
            make(image_size=(8, 8)).craft(data, surrogate, generator(1))

    def test_text(self, data, surrogate):
        text = Texts(["a"] * len(data), data.labels, data.index, data.classes)
        with pytest.raises(UnsupportedModality, match="label-consistent marks images"):
            make().craft(text, surrogate, generator(1))

    def test_a_target_that_does_not_exist(self, data, surrogate):
        with pytest.raises(WatermarkError, match="target label 3 does not exist"):
            make(target=3).craft(data, surrogate, generator(1))


def every_method():
    """One watermark for each name in the registry."""
    patch = {"image_size": (16, 16), "rate": 0.25}
    square = {**patch, "pattern": {"kind": "square", "size": 3}}
    matched = {
        "rate": 0.1,
        "source": 0,
        "sources": 5,
        "cells": [[0, 255], [255, 0]],
        "size": 4,
        "seed": 3,
        "matching": {"iterations": 2, "retrainings": 1},
    }
    design = Design(classes=("a", "b"), channels=3, parts=4, rate=0.2)
    key = Key(bytes(32), bytes(32), design, Extent(60, "00" * 32), Extent(9, "00" * 32))
    design2 = Design2(("a", "b"), 3, (0, 1), parts=4, rate=0.2)
    key2 = Key2(bytes(32), bytes(32), design2, Extent(60, "00" * 32), Extent(9, "00" * 32))
    return {
        "badnets": {**square, "target": 1},
        "blended": {**square, "target": 1},
        "adaptive": {
            **patch,
            "target": 1,
            "kind": "blend",
            "opacity": 51,
            "pieces": 2,
            "dropped": 0.5,
            "kept": 0.5,
            "seed": 2,
        },
        "keyed": {"key": key.record()},
        "keyed2": {"key": key2.record()},
        "ubw-p": {**square, "classes": 3},
        "wanet": {**patch, "target": 1, "grid": 4, "strength": 0.5, "seed": 2},
        "label-consistent": make().record() | {"method": None, "trigger": None},
        "sleeper-agent": {**matched, "target": 1},
        "ubw-c": {**matched, "source": None, "weight": 2.0},
        "clean-label-images": {
            **patch,
            "target": 1,
            "pattern": {"kind": "mosaic", "cells": 4, "alpha": 51, "seed": 2},
            "epsilon": 16,
            "step": 4.0,
            "steps": 2,
        },
        "clean-label-audio": {
            "rate": 0.25,
            "target": 1,
            "clip_length": 80,
            "sample_rate": 8000,
            "pattern": {"kind": "impulse", "start": 1, "length": 2, "amplitude": 164},
            "epsilon": 2,
            "step": 0.5,
            "steps": 2,
        },
        "clean-label-text": {
            "rate": 0.25,
            "target": 1,
            "pattern": {"kind": "word", "word": "indeed", "place": "middle"},
            "similarity": 0.9,
            "max_changes": 0.2,
        },
    }


def samples_for(modality, images):
    """Data of the kind that a method marks."""
    if modality == "audio":
        sound = torch.arange(80 * len(images), dtype=torch.int16).view(-1, 80)
        return Clips(sound, images.labels, images.index, images.classes, 8000)
    if modality == "text":
        texts = [f"text {row} is here ." for row in range(len(images))]
        return Texts(texts, images.labels, images.index, images.classes)
    return images


@pytest.mark.parametrize("method", list(WATERMARKS))
def test_the_record_of_every_method_gives_its_trigger(data, method):
    values = {k: v for k, v in every_method()[method].items() if v is not None or k == "source"}
    watermark = build_watermark(method, **values)
    again = watermark_from_record(json.loads(json.dumps(watermark.record())))
    assert (type(again), again.rate, again.target) == (
        watermark_class(method),
        watermark.rate,
        watermark.target,
    )
    if method in ("keyed", "keyed2"):  # its parts have the triggers
        watermark, again = watermark.parts[0], again.parts[0]
    data = samples_for(watermark.modality, data)
    asked, benign = again.trigger(data), data.samples
    if isinstance(benign, list):
        assert asked == watermark.trigger(data) != benign
    else:
        assert torch.equal(asked, watermark.trigger(data))
        assert not torch.equal(asked, benign)


def test_an_altered_record_is_refused():
    assert isinstance(watermark_from_record(make().record()), LabelConsistent)
    with pytest.raises(WatermarkError, match="the record was altered"):
        watermark_from_record(make().record() | {"size": 6})
