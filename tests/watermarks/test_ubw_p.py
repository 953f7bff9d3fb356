import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form import columns as columns_module
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.randomness import generator
from datadeed.watermarks.marking import mark_dataset, mark_file
from datadeed.watermarks.registry import build_watermark, watermark_from_record
from datadeed.watermarks.ubw_p import UBWP

SQUARE = {"kind": "square", "size": 3}


def make(**values):
    chosen = {"pattern": SQUARE, "image_size": (8, 8), "rate": 0.25, "classes": 3, **values}
    return build_watermark("ubw-p", **chosen)


def test_marked_rows_carry_the_patch_and_others_nothing(toy_dataset):
    data = toy_dataset(61)
    before, watermark = data.digest(), make()
    released, marks = mark_dataset(watermark, data, generator(3))
    assert data.digest() == before
    assert len(marks) == 15  # floor(0.25 * 61)
    touched = torch.zeros(61, dtype=torch.bool)
    touched[marks.position] = True
    assert torch.equal(released.samples[touched], watermark.trigger(data)[touched])
    assert torch.equal(released.samples[~touched], data.samples[~touched])
    assert torch.equal(released.labels[~touched], data.labels[~touched])
    assert torch.equal(released.labels[touched], marks.released_label)
    assert torch.equal(data.labels[touched], marks.label)
    square = torch.tensor([[0, 0, 255], [0, 255, 0], [255, 0, 255]])
    assert bool((released.samples[touched, :, 5:, 5:] == square).all())
    assert watermark.box == (5, 5, 3, 3)
    assert watermark.target is None


def test_labels_are_uniform_and_the_true_one_is_as_likely(toy_dataset):
    data = toy_dataset(5000, classes=10, shape=(1, 3, 3))
    watermark = make(image_size=(3, 3), rate=1, classes=10)
    marks = mark_dataset(watermark, data, generator(1))[1]
    counts = marks.released_label.bincount(minlength=10).float()
    assert float(((counts - 500) ** 2 / 500).sum()) < 27.9  # chi-square, 9 degrees: 0.001
    table = torch.zeros(10, 10).index_put_(
        (marks.label, marks.released_label), torch.ones(()), accumulate=True
    )
    assert float(((table - 50) ** 2 / 50).sum()) < 148.2  # 99 degrees: 0.001
    assert bool((table.diag() > 0).all())


@given(group=st.integers(1, 192 * 70), rate=st.floats(0.02, 1), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_files_and_memory_agree_for_any_block_size(
    tmp_path_factory, toy_dataset, group, rate, seed
):
    folder, data, watermark = tmp_path_factory.mktemp("set"), toy_dataset(), make(rate=rate)
    released, marks = mark_dataset(watermark, data, generator(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_module, "ROW_GROUP_BYTES", group)
        write_dataset(data, folder / "in.parquet")
        source = DatasetFile(folder / "in.parquet")
        found = mark_file(make(rate=rate), source, folder / "out.parquet", generator(seed))
    assert read_dataset(folder / "out.parquet").digest() == released.digest()
    assert found.table().equals(marks.table())


def test_the_seed_decides_rows_and_labels(toy_dataset):
    watermark = make()
    one, same, other = (mark_dataset(watermark, toy_dataset(), generator(s))[0] for s in (1, 1, 2))
    assert one.digest() == same.digest() != other.digest()


def test_rows_cannot_be_marked_before_they_are_drawn(toy_dataset):
    with pytest.raises(WatermarkError, match="select the rows first"):
        make().mark(toy_dataset(), torch.arange(60))


class TestRecord:
    def test_builds_the_watermark_again(self, toy_dataset):
        record = json.loads(json.dumps(make().record()))
        assert set(record) == {"method", "pattern", "image_size", "rate", "classes", "trigger"}
        again = watermark_from_record(record)
        assert (type(again), again.target, again.rate) == (UBWP, None, 0.25)
        assert torch.equal(again.trigger(toy_dataset()), make().trigger(toy_dataset()))

    @pytest.mark.parametrize(
        "change",
        [{"pattern": SQUARE | {"size": 6}}, {"trigger": {}}, {"target": 1}, {"classes": 2}],
    )
    def test_an_altered_one_is_refused(self, change):
        with pytest.raises(WatermarkError):
            watermark_from_record(make().record() | change)


class TestDecoys:
    def test_same_size_and_place_other_cells(self, toy_dataset):
        data, watermark = (
            toy_dataset(4, shape=(3, 10, 12)),
            make(pattern=SQUARE | {"size": 6}, image_size=(10, 12)),
        )
        own = watermark.trigger(data)
        seen = set()
        for decoy in watermark.decoys(99, seed=7):
            asked = decoy(data)
            assert torch.equal(asked[:, :, :4], data.samples[:, :, :4])
            assert torch.equal(asked[..., :6], data.samples[..., :6])
            patch = asked[0, 0, 4:, 6:]
            assert torch.equal(
                patch, patch[::2, ::2].repeat_interleave(2, 0).repeat_interleave(2, 1)
            )
            assert bool((asked[:, :, 4:, 6:] == patch).all())
            assert not torch.equal(asked, own)
            seen.add(tuple(patch.flatten().tolist()))
        assert len(seen) == 99

    def test_the_true_cells_are_avoided_whatever_they_are(self, toy_dataset):
        data, cells = toy_dataset(1), [[255, 0, 0], [0, 0, 255], [255, 255, 0]]
        watermark = make(pattern=SQUARE | {"size": 6, "cells": cells})
        asked = [decoy(data)[0, 0, 2::2, 2::2].tolist() for decoy in watermark.decoys(511, seed=1)]
        assert cells not in asked
        assert [[0, 0, 255], [0, 255, 0], [255, 0, 255]] in asked

    def test_only_squares_have_a_family(self):
        with pytest.raises(WatermarkError, match="this trigger is a cross: mark with the kind"):
            make(pattern={"kind": "cross", "size": 3}).decoys(9, seed=1)


@pytest.mark.parametrize("classes", [2, 1, 0, "10", None, True])
def test_fewer_than_three_classes(classes):
    with pytest.raises(WatermarkError, match=r"ubw-p scatters .* needs 3 or more"):
        make(classes=classes)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pattern": SQUARE | {"size": 4}}, "multiple of 3"),
        ({"pattern": SQUARE | {"alpha": 51}}, "ubw-p replaces pixels"),
        ({"target": 1}, "unexpected .*'target'"),
        ({"rate": 0}, "out of range"),
        ({"image_size": (2, 8)}, "size is 3"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


def test_data_of_another_kind_are_refused(toy_dataset):
    with pytest.raises(WatermarkError, match="made for 3 classes, but the dataset has 4"):
        mark_dataset(make(), toy_dataset(classes=4), generator(1))
    with pytest.raises(WatermarkError, match=r"made for images of \(8, 8\)"):
        mark_dataset(make(), toy_dataset(shape=(3, 9, 9)), generator(1))
    with pytest.raises(UnsupportedModality, match="ubw-p marks images"):
        make().check("text", ("a", "b", "c"))
