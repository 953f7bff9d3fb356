import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.randomness import generator
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.registry import build_watermark, watermark_from_record

LINE = {"kind": "line", "rows": 2, "value": 255}
CROSS = {"kind": "cross", "size": 3}


def make(method="badnets", pattern=LINE, **values):
    chosen = {"image_size": (8, 8), "rate": 0.25, "target": 1, **values}
    return build_watermark(method, pattern=pattern, **chosen)


@pytest.mark.parametrize("method", ["badnets", "blended"])
@pytest.mark.parametrize("pattern", [LINE, CROSS])
@pytest.mark.parametrize("channels", [1, 3])
def test_marked_rows_carry_trigger_and_target_and_others_nothing(
    toy_dataset, method, pattern, channels
):
    data = toy_dataset(61, shape=(channels, 8, 8))
    before = data.digest()
    watermark = make(method, pattern)
    released, marks = mark_dataset(watermark, data, generator(3))
    assert data.digest() == before
    assert len(marks) == 15  # floor(0.25 * 61)
    touched = torch.zeros(61, dtype=torch.bool)
    touched[marks.position] = True
    assert torch.equal(released.index, data.index)
    assert bool((released.labels[touched] == 1).all())
    assert torch.equal(released.labels[~touched], data.labels[~touched])
    assert torch.equal(released.samples[~touched], data.samples[~touched])
    assert torch.equal(released.samples[touched], watermark.trigger(data)[touched])
    assert torch.equal(marks.index, data.index[touched])
    assert torch.equal(marks.label, data.labels[touched])
    assert bool((marks.released_label == 1).all())
    assert set(marks.label.tolist()) == {0, 1, 2}  # all classes, the target's own included


def test_opacity_is_what_sets_the_two_methods_apart(toy_dataset):
    rows = toy_dataset(4).take(torch.tensor([0]))
    top = rows.samples[0, :, :2].int()
    assert bool((make("badnets").trigger(rows)[0, :, :2] == 255).all())
    expected = (top * 204 + 255 * 51) // 255
    assert torch.equal(make("blended").trigger(rows)[0, :, :2].int(), expected)


@given(seed=st.integers(0, 2**32), other=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_the_seed_decides_which_rows(toy_dataset, seed, other):
    data, watermark = toy_dataset(), make()
    one, marks = mark_dataset(watermark, data, generator(seed))
    two, again = mark_dataset(watermark, data, generator(seed))
    assert one.digest() == two.digest()
    assert marks.table().equals(again.table())
    _, third = mark_dataset(watermark, data, generator(other))
    assert marks.table().equals(third.table()) == (seed == other)


@pytest.mark.parametrize("method", ["badnets", "blended"])
@pytest.mark.parametrize("pattern", [LINE, CROSS, LINE | {"rows": 8}])
def test_a_record_builds_the_watermark_again(toy_dataset, method, pattern):
    watermark = make(method, pattern)
    record = json.loads(json.dumps(watermark.record()))
    again = watermark_from_record(record)
    assert (type(again), again.rate, again.target) == (type(watermark), 0.25, 1)
    assert torch.equal(again.trigger(toy_dataset()), watermark.trigger(toy_dataset()))


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": LINE | {"value": 254}},
        {"pattern": LINE | {"rows": 1}},
        {"image_size": [9, 9]},
        {"method": "blended"},
        {"method": "other"},
        {"trigger": {}},
        {"trigger": None},
        {"extra": 1},
    ],
)
def test_an_altered_record_is_refused(change):
    with pytest.raises(WatermarkError):
        watermark_from_record(make().record() | change)


@pytest.mark.parametrize("key", ["method", "pattern", "image_size", "rate", "target", "trigger"])
def test_an_incomplete_record_is_refused(key):
    record = make().record()
    del record[key]
    with pytest.raises(WatermarkError):
        watermark_from_record(record)


def test_images_of_another_size_are_refused(toy_dataset):
    """The cross would lie in the middle of a larger image, and nobody would notice."""
    larger = toy_dataset(shape=(3, 12, 12))
    for call in (lambda rows: make().mark(rows, torch.arange(len(rows))), make().trigger):
        with pytest.raises(WatermarkError, match=r"made for images of \(8, 8\)"):
            call(larger)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method": "best"}, "unknown watermark 'best': choose badnets, blended"),
        ({"pattern": {"kind": "star"}}, "unknown trigger"),
        ({"pattern": CROSS | {"size": 9}}, "size is 9"),
        ({"pattern": LINE | {"alpha": 51}}, "badnets replaces pixels"),
        ({"pattern": None}, "badnets"),
        ({"opacity": 1}, "unexpected .*'opacity'"),
        ({"rate": 2}, "out of range"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


def test_the_box_is_where_the_trigger_lies():
    assert make(pattern=LINE).box == (0, 0, 2, 8)
    assert make(pattern=CROSS).box == (5, 5, 3, 3)
