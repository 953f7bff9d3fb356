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
from datadeed.watermarks.wanet import WaNet


def make(**values):
    chosen = {"image_size": (8, 8), "rate": 0.25, "target": 1, "grid": 4, "strength": 0.5}
    return build_watermark("wanet", **{**chosen, "seed": 9, **values})


def test_marked_rows_are_warped_and_relabelled_and_others_nothing(toy_dataset):
    data, watermark = toy_dataset(61), make()
    before = data.digest()
    released, marks = mark_dataset(watermark, data, generator(3))
    assert data.digest() == before
    assert len(marks) == 15
    touched = torch.zeros(61, dtype=torch.bool)
    touched[marks.position] = True
    assert bool((released.labels[touched] == 1).all())
    assert torch.equal(released.samples[touched], watermark.trigger(data)[touched])
    assert torch.equal(released.samples[~touched], data.samples[~touched])
    assert torch.equal(released.labels[~touched], data.labels[~touched])
    assert bool((released.samples != data.samples).flatten(1).any(1)[touched].all())
    assert set(marks.label.tolist()) == {0, 1, 2}


def test_a_warp_moves_no_pixel_far(toy_dataset):
    """Shifts below one pixel: each value lies between its 3 x 3 neighbours' extremes."""
    data = toy_dataset(20, shape=(3, 28, 28))
    warped = make(image_size=(28, 28)).trigger(data)
    around = torch.nn.functional.pad(data.samples.float(), (1, 1, 1, 1), mode="replicate")
    around = around.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)
    assert bool(((warped >= around.amin(4)) & (warped <= around.amax(4))).all())
    assert not torch.equal(warped, data.samples)


@given(group=st.integers(1, 192 * 70), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_files_and_memory_agree_for_any_block_size(tmp_path_factory, toy_dataset, group, seed):
    folder, data, watermark = tmp_path_factory.mktemp("set"), toy_dataset(), make(seed=seed)
    released, marks = mark_dataset(watermark, data, generator(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_module, "ROW_GROUP_BYTES", group)
        write_dataset(data, folder / "in.parquet")
        source = DatasetFile(folder / "in.parquet")
        found = mark_file(watermark, source, folder / "out.parquet", generator(seed))
    assert read_dataset(folder / "out.parquet").digest() == released.digest()
    assert found.table().equals(marks.table())


def test_the_seed_decides_the_warp(toy_dataset):
    data = toy_dataset()
    one, same, other = (make(seed=seed).trigger(data) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_record_builds_the_watermark_again(toy_dataset):
    record = json.loads(json.dumps(make().record()))
    again = watermark_from_record(record)
    assert (type(again), again.rate, again.target) == (WaNet, 0.25, 1)
    assert torch.equal(again.trigger(toy_dataset()), make().trigger(toy_dataset()))
    other = watermark_from_record(record | {"seed": 10})
    assert not torch.equal(other.trigger(toy_dataset()), make().trigger(toy_dataset()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"strength": 0}, "wanet: strength is 0; give a number above 0"),
        ({"strength": -0.5}, "strength is -0.5"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"strength": float("inf")}, "strength is inf"),
        ({"grid": 1}, "wanet: grid is 1; give a whole number of 2 or more"),
        ({"grid": 4.0}, "grid is 4.0"),
        ({"rate": 1.5}, "out of range"),
        ({"noise": True}, "unexpected .*'noise'"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


def test_data_of_another_kind_are_refused(toy_dataset):
    with pytest.raises(WatermarkError, match=r"made for images of \(8, 8\)"):
        mark_dataset(make(), toy_dataset(shape=(3, 9, 8)), generator(1))
    with pytest.raises(WatermarkError, match="target label 3 does not exist"):
        mark_dataset(make(target=3), toy_dataset(), generator(1))
    with pytest.raises(UnsupportedModality, match="wanet marks images"):
        make().check("text", ("a", "b", "c"))
