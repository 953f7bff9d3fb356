"""Images, and what the three modalities share."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form import columns as columns_module
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import CheckpointError, UnsupportedModality, WatermarkError
from datadeed.models.training.config import TrainingConfig
from datadeed.randomness import generator
from datadeed.watermarks import clean_label, clean_label_images
from datadeed.watermarks.clean_label_images import CleanLabelImages
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.marking import mark_dataset, mark_file
from datadeed.watermarks.registry import watermark_from_record

SHAPE = (3, 8, 8)
PATCH = {"kind": "patch", "size": 2, "colour": [255, 0, 128]}
MOSAIC = {"kind": "mosaic", "cells": 4, "alpha": 51, "seed": 4, "colours": "colour"}


def make(**values):
    chosen = {"rate": 0.5, "target": 1, "image_size": SHAPE[1:], "pattern": PATCH, "epsilon": 16}
    return CleanLabelImages(**{**chosen, "step": 4.0, "steps": 5, **values})


@pytest.fixture(scope="module")
def data(toy_dataset):
    """61 rows, of which 20 have the target label."""
    return toy_dataset(61, shape=SHAPE)


@pytest.fixture(scope="module")
def surrogate(tiny_model):
    return Surrogate(tiny_model(shape=SHAPE), TrainingConfig(epochs=1, lr=0.1))


def craft(watermark, data, surrogate, seed=5, **values):
    watermark.craft(data, surrogate, generator(seed), **values)
    return mark_dataset(watermark, data, generator(1))


class TestMarking:
    @pytest.mark.parametrize(("rate", "count"), [(0.05, 1), (0.35, 7), (0.5, 10), (1, 20)])
    @pytest.mark.parametrize("perturb", [True, False])
    def test_labels_stay_and_the_share_of_the_class_is_exact(
        self, data, surrogate, rate, count, perturb
    ):
        before = data.digest()
        released, marks = craft(make(rate=rate, perturb=perturb), data, surrogate)
        assert data.digest() == before
        assert len(marks) == count
        assert bool((marks.label == 1).all())
        assert torch.equal(released.labels, data.labels)
        touched = torch.zeros(61, dtype=torch.bool)
        touched[marks.position] = True
        assert torch.equal(released.samples[~touched], data.samples[~touched])
        assert bool((released.samples != data.samples)[touched].flatten(1).any(1).all())

    @settings(max_examples=10)
    @given(epsilon=st.integers(1, 255), seed=st.integers(0, 99))
    def test_outside_the_patch_the_bound_holds_exactly(self, data, surrogate, epsilon, seed):
        watermark = make(epsilon=epsilon, step=epsilon / 2, steps=2)
        released, marks = craft(watermark, data, surrogate, seed)
        change = (released.samples.int() - data.samples.int())[marks.position].abs()
        assert bool(
            (
                released.samples[marks.position][:, :, 6:, 6:]
                == data.samples.new_tensor([255, 0, 128]).view(3, 1, 1)
            ).all()
        )
        change[:, :, 6:, 6:] = 0
        assert watermark.bound == epsilon
        assert int(change.max()) <= epsilon
        if epsilon < 100:  # two steps of half the bound reach it
            assert int(change.max()) == epsilon
        assert watermark.facts()["largest_change"] == int(change.max())

    @settings(max_examples=10)
    @given(epsilon=st.integers(1, 255), alpha=st.integers(1, 254), seed=st.integers(0, 99))
    def test_below_a_blend_its_share_of_the_bound_is_left(
        self, data, surrogate, epsilon, alpha, seed
    ):
        pattern = {**MOSAIC, "alpha": alpha}
        watermark = make(epsilon=epsilon, step=epsilon / 2, steps=2, pattern=pattern)
        released, marks = craft(watermark, data, surrogate, seed)
        change = (released.samples.int() - watermark.trigger(data).int())[marks.position].abs()
        assert watermark.bound == math.ceil(epsilon * (255 - alpha) / 255)
        assert int(change.max()) <= watermark.bound
        assert watermark.facts()["largest_change"] == int(change.max())

    @pytest.mark.parametrize("pattern", [PATCH, MOSAIC])
    def test_the_surrogate_is_misled(self, data, surrogate, pattern):
        watermark = make(rate=1, pattern=pattern, epsilon=64, step=16.0)
        released, marks = craft(watermark, data, surrogate)
        plain = watermark.trigger(data.take(marks.position))
        trust = [
            surrogate.model.predict(images)[:, 1].mean().item()
            for images in (plain, released.samples[marks.position])
        ]
        assert trust[1] < trust[0] - 0.02

    @pytest.mark.parametrize("pattern", [PATCH, MOSAIC])
    def test_without_a_perturbation_a_mark_is_the_trigger_alone(self, data, pattern):
        watermark = make(perturb=False, pattern=pattern)
        released, marks = craft(watermark, data, None)
        assert torch.equal(
            released.samples[marks.position], watermark.trigger(data)[marks.position]
        )
        assert len(marks) == 10

    def test_the_ablation_marks_the_same_rows(self, data, surrogate):
        full, bare = (craft(make(perturb=p), data, surrogate)[1] for p in (True, False))
        assert torch.equal(full.position, bare.position)

    def test_the_generator_draws_the_rows_from_the_whole_class(self, data):
        drawn = [craft(make(perturb=False), data, None, seed)[1].position for seed in range(12)]
        assert len({tuple(rows.tolist()) for rows in drawn}) == 12
        assert torch.equal(drawn[3], craft(make(perturb=False), data, None, 3)[1].position)
        assert set(torch.cat(drawn).tolist()) == set(range(1, 61, 3))

    def test_files_and_memory_agree(self, tmp_path, monkeypatch, data, surrogate):
        watermark = make()
        released, marks = craft(watermark, data, surrogate)
        monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", 192 * 7)
        write_dataset(data, tmp_path / "in.parquet")
        found = mark_file(
            watermark, DatasetFile(tmp_path / "in.parquet"), tmp_path / "out", generator(1)
        )
        assert read_dataset(tmp_path / "out").digest() == released.digest()
        assert found.table().equals(marks.table())


class TestFacts:
    def test_what_was_done(self, data, surrogate):
        watermark = make(rate=0.35)
        released, marks = craft(watermark, data, surrogate)
        facts = watermark.facts()
        assert json.loads(json.dumps(facts)) == facts
        benign, marked = data.samples[marks.position], released.samples[marks.position]
        wrong = (surrogate.model.predict(benign).argmax(1) != 1).sum().item()
        noise = (marked.double() - benign.double()).square().mean().item()
        assert facts | {"fooled": 0} == {
            "marks": 7,
            "class_size": 20,
            "fooled": 0,
            "wrong_before": wrong,
            "epsilon": 16,
            "bound": 16,
            "largest_change": 16,
            "trigger_share": 4 / 64,
            "psnr": round(10 * math.log10(255**2 / noise), 4),
        }
        assert 0 <= facts["fooled"] <= 7

    def test_fooled_counts_what_the_perturbation_did(self, data, tiny_model, monkeypatch):
        """A model that errs on what is darker than the benign images."""
        model = tiny_model(shape=SHAPE)

        def predict(images, **_):
            dark = (images.float().flatten(1).mean(1) < 20).float()
            return torch.stack([dark, 1 - dark, 0 * dark], 1)

        monkeypatch.setattr(model, "predict", predict)
        calls = []

        def darken(model, images, labels, **values):
            calls.append(len(images))
            return images // 10 if len(calls) == 1 else images

        monkeypatch.setattr(clean_label_images, "pgd", darken)
        monkeypatch.setattr(clean_label, "PART", 4)
        watermark = make()
        craft(watermark, data, Surrogate(model, TrainingConfig(epochs=1, lr=0.1)))
        assert calls == [4, 4, 2]
        facts = watermark.facts()
        assert (facts["fooled"], facts["wrong_before"]) == (4, 0)

    def test_the_ablation_has_no_bound(self, data):
        watermark = make(perturb=False, pattern=MOSAIC)
        craft(watermark, data, None)
        facts = watermark.facts()
        assert (facts["largest_change"], facts["bound"], facts["trigger_share"]) == (0, 0, 1.0)
        assert "fooled" not in facts

    def test_nothing_crafted_yet(self):
        with pytest.raises(WatermarkError, match="has no facts yet: craft it first"):
            make().facts()


class TestCheckpoint:
    """10 images in parts of 4."""

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch):
        monkeypatch.setattr(clean_label, "PART", 4)

    def craft(self, data, surrogate, folder, fingerprint="one"):
        told = []
        released, _ = craft(
            make(),
            data,
            surrogate,
            checkpoint=folder,
            fingerprint=fingerprint,
            on_progress=lambda done, total, note, resumed: told.append((done, total, resumed)),
        )
        return told, released.digest()

    def test_a_killed_crafting_goes_on(self, tmp_path, monkeypatch, data, surrogate):
        told, whole = self.craft(data, surrogate, tmp_path / "a")
        assert told == [(4, 10, False), (8, 10, False), (10, 10, False)]
        real, calls = clean_label_images.pgd, []

        def killed(*args, **values):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return real(*args, **values)

        monkeypatch.setattr(clean_label_images, "pgd", killed)
        with pytest.raises(KeyboardInterrupt):
            self.craft(data, surrogate, tmp_path / "b")
        told, again = self.craft(data, surrogate, tmp_path / "b")
        assert told == [(4, 10, True), (8, 10, False), (10, 10, False)]
        assert again == whole == self.craft(data, surrogate, None)[1]

    def test_state_of_another_crafting_is_refused(self, tmp_path, data, surrogate):
        self.craft(data, surrogate, tmp_path)
        with pytest.raises(CheckpointError, match="belongs to another run"):
            self.craft(data, surrogate, tmp_path, "two")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilon": 0}, "epsilon is 0: give a whole number of 255ths, from 1 to 255"),
        ({"epsilon": 16 / 255}, "epsilon is 0.06"),
        ({"steps": 0}, "0 steps"),
        ({"step": 0}, "steps of 0/255"),
        ({"rate": 0}, "out of range"),
        ({"rate": 1.5}, "out of range"),
        ({"perturb": "no"}, "perturb is 'no'; give true or false"),
        ({"pattern": {**PATCH, "size": 9}}, "9x9 pixels do not fit into an image of 8x8"),
        ({"pattern": {"kind": "line"}}, "unknown trigger 'line'"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


@settings(max_examples=50)
@given(rows=st.integers(2, 10**5), share=st.floats(0.01, 0.99))
def test_the_least_rate_that_is_named_marks_a_row(rows, share):
    labels = torch.ones(rows, dtype=torch.int64)
    with pytest.raises(WatermarkError, match=f"class's {rows} samples marks none") as caught:
        make(rate=share / rows).marks(labels)
    named = float(str(caught.value).rsplit(maxsplit=1)[-1])
    assert make(rate=named).marks(labels) == 1
    assert 1 / rows <= named <= 1.01 / rows


class TestRefusals:
    def refused(self, data, surrogate, words, error=WatermarkError, **values):
        with pytest.raises(error, match=words) as caught:
            make(**values).craft(data, surrogate, generator(1))
        assert "\n" not in str(caught.value)

    def test_a_target_class_with_three_samples(self, toy_dataset, surrogate):
        rows = torch.tensor([0, 1, 4, 7, 2, 5, 3, 6])  # labels 0, 1, 1, 1, 2, 2, 0, 0
        data = toy_dataset(8, shape=SHAPE).take(rows)
        words = "rate 0.01 of the target class's 3 samples marks none: .* of at least 0.334$"
        self.refused(data, surrogate, words, rate=0.01)
        assert len(craft(make(rate=0.334), data, surrogate)[1]) == 1

    def test_a_target_class_without_a_sample(self, data, surrogate):
        others = data.take(data.labels != 1)
        self.refused(others, surrogate, "no row has the target label 1: choose a class that")

    def test_no_surrogate(self, data):
        self.refused(data, None, "none was given")

    def test_images_of_another_size(self, data, surrogate):
        words = r"made for images of \(16, 8\)"
        self.refused(data, surrogate, words, image_size=(16, 8))

    def test_grey_images(self, toy_dataset, tiny_model):
        data = toy_dataset(12, shape=(1, 8, 8))
        grey = Surrogate(tiny_model(shape=(1, 8, 8)), TrainingConfig(epochs=1, lr=0.1))
        self.refused(data, grey, "has 3 channels, but the images have 1")

    def test_text(self, data, surrogate):
        text = Texts(["a"] * len(data), data.labels, data.index, data.classes)
        words = "clean-label-images marks images, but the dataset holds text"
        self.refused(text, surrogate, words, UnsupportedModality)

    def test_a_surrogate_for_other_data_even_where_none_is_needed(self, data, tiny_model):
        other = Surrogate(tiny_model(shape=(3, 16, 16)), TrainingConfig(epochs=1, lr=0.1))
        self.refused(data, other, "but the data are", perturb=False)


@pytest.mark.parametrize("pattern", [PATCH, MOSAIC])
def test_an_altered_record_is_refused(pattern):
    record = json.loads(json.dumps(make(pattern=pattern).record()))
    assert watermark_from_record(record).record() == record
    with pytest.raises(WatermarkError, match="the record was altered"):
        watermark_from_record(record | {"trigger": record["trigger"] | {"pattern_sha256": "0"}})
