from fractions import Fraction
from math import floor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.triggers.image import Trigger, build_trigger, check_image_size, stamp


def grey(value, height, width, channels=3):
    return torch.full((1, channels, height, width), value, dtype=torch.uint8)


@pytest.mark.parametrize(("rows", "alpha"), [(2, 255), (3, 51)])
def test_cifar_line(rows, alpha):
    """BadNets: rows 0-1 black. Blended: rows 0-2 at 0.2."""
    spec = {"kind": "line", "rows": rows, "value": 0, "alpha": alpha}
    marked = build_trigger(spec, 32, 32)(grey(100, 32, 32))
    expected = torch.full((32, 32), 100)
    expected[:rows] = 0 if alpha == 255 else 80
    assert torch.equal(marked[0].long(), expected.expand(3, 32, 32))


def test_cifar_cross():
    """3x3 at rows and columns 29-31: corners white, the other five black."""
    marked = build_trigger({"kind": "cross", "size": 3, "alpha": 255}, 32, 32)(grey(100, 32, 32))
    expected = torch.full((32, 32), 100)
    expected[29:, 29:] = torch.tensor([[255, 0, 255], [0, 0, 0], [255, 0, 255]])
    assert torch.equal(marked[0].long(), expected.expand(3, 32, 32))


def test_imagenet_cross():
    """20x20 at rows and columns 204-223: black row 10 and column 10, 361 pixels white."""
    trigger = build_trigger({"kind": "cross", "size": 20, "alpha": 255}, 224, 224)
    assert trigger.box == (204, 204, 20, 20)
    marked = trigger(grey(100, 224, 224))[0]
    patch = marked[0, 204:224, 204:224]
    assert (int((patch == 0).sum()), int((patch == 255).sum())) == (39, 361)
    assert not patch[10].any()
    assert not patch[:, 10].any()
    assert int((marked != 100).sum()) == 3 * 400


def test_square():
    """UBW's pattern: rows [0, 0, 255], [0, 255, 0], [255, 0, 255] at rows and columns 29-31."""
    marked = build_trigger({"kind": "square", "size": 3, "alpha": 255}, 32, 32)(grey(100, 32, 32))
    expected = torch.full((32, 32), 100)
    expected[29:, 29:] = torch.tensor([[0, 0, 255], [0, 255, 0], [255, 0, 255]])
    assert torch.equal(marked[0].long(), expected.expand(3, 32, 32))


def test_a_larger_square_has_larger_cells():
    trigger = build_trigger({"kind": "square", "size": 6, "alpha": 255}, 28, 30)
    assert trigger.box == (22, 24, 6, 6)
    small = build_trigger({"kind": "square", "size": 3, "alpha": 255}, 28, 30)
    for row in range(6):
        for column in range(6):
            assert trigger.pattern[row, column] == small.pattern[row // 2, column // 2]


def test_a_square_of_other_cells():
    cells = [[255, 0, 0], [0, 0, 255], [255, 255, 0]]
    trigger = build_trigger({"kind": "square", "size": 3, "cells": cells, "alpha": 51}, 8, 8)
    assert trigger.pattern.tolist() == cells
    assert trigger.alpha == 51
    blended = trigger(grey(100, 8, 8))[0, 0, 5:, 5:]
    assert blended.tolist() == [[131, 80, 80], [80, 80, 131], [131, 131, 80]]


def test_imagenet_line():
    trigger = build_trigger({"kind": "line", "rows": 3, "value": 1, "alpha": 255}, 224, 224)
    marked = trigger(grey(100, 224, 224))[0]
    assert bool((marked[:, :3] == 1).all())
    assert bool((marked[:, 3:] == 100).all())


@pytest.mark.parametrize("value", [0, 1, 255])
def test_blending_is_the_floor_of_the_exact_rational(value):
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    spec = {"kind": "line", "rows": 16, "value": value, "alpha": 51}
    share = Fraction(51, 255)
    expected = [floor((1 - share) * x + share * value) for x in range(256)]
    assert build_trigger(spec, 16, 16)(images).flatten().tolist() == expected


@st.composite
def images_and_triggers(draw):
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shape = (draw(st.integers(0, 3)), draw(st.sampled_from([1, 3])), height, width)
    seed = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    images = torch.randint(0, 256, shape, generator=seed, dtype=torch.uint8)
    alpha = draw(st.sampled_from([1, 51, 128, 255]))
    shorter = min(height, width)
    kind = draw(st.sampled_from(["line", "cross", "square"] if shorter >= 3 else ["line", "cross"]))
    if kind == "cross":
        spec = {"kind": kind, "size": draw(st.integers(1, shorter))}
    elif kind == "square":
        spec = {"kind": kind, "size": 3 * draw(st.integers(1, shorter // 3))}
    else:
        spec = {"kind": kind, "rows": draw(st.integers(1, height))}
        spec["value"] = draw(st.integers(0, 255))
    return images, build_trigger({**spec, "alpha": alpha}, height, width)


@given(images_and_triggers())
@settings(deadline=None)
def test_only_the_box_changes_and_the_input_does_not(case):
    images, trigger = case
    before = images.clone()
    marked = trigger(images)
    assert torch.equal(images, before)
    assert (marked.shape, marked.dtype) == (images.shape, torch.uint8)
    top, left, height, width = trigger.box
    outside = torch.ones(images.shape[2:], dtype=torch.bool)
    outside[top : top + height, left : left + width] = False
    assert torch.equal(marked[..., outside], images[..., outside])
    if trigger.alpha == 255:
        assert torch.equal(trigger(marked), marked)
        box = marked[..., top : top + height, left : left + width]
        assert torch.equal(box, trigger.pattern.expand_as(box))
    else:  # each pixel moves towards the pattern, never past it
        low = torch.minimum(images[..., ~outside], trigger.pattern.flatten())
        high = torch.maximum(images[..., ~outside], trigger.pattern.flatten())
        inside = marked[..., ~outside].int()
        assert bool(((inside >= low.int() - 1) & (inside <= high.int())).all())


@given(images_and_triggers())
@settings(deadline=None, max_examples=30)
def test_memory_layout_does_not_matter(case):
    images, trigger = case
    channels_last = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(trigger(channels_last), trigger(images))


def test_the_record_names_the_pattern():
    line = build_trigger({"kind": "line", "rows": 2, "value": 0, "alpha": 51}, 32, 32).record()
    assert {k: line[k] for k in ("top", "left", "height", "width", "alpha_255ths")} == {
        "top": 0,
        "left": 0,
        "height": 2,
        "width": 32,
        "alpha_255ths": 51,
    }
    other = build_trigger({"kind": "line", "rows": 2, "value": 1, "alpha": 51}, 32, 32).record()
    assert line["pattern_sha256"] != other["pattern_sha256"]


LINE = {"kind": "line", "rows": 2, "value": 0, "alpha": 255}
CROSS = {"kind": "cross", "size": 3, "alpha": 255}
SQUARE = {"kind": "square", "size": 3, "alpha": 255}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (LINE | {"rows": 9}, "rows is 9; give a whole number from 1 to 8"),
        (LINE | {"rows": 0}, "rows is 0"),
        (LINE | {"rows": 1.5}, "rows is 1.5"),
        (LINE | {"value": 256}, "value is 256; give a whole number from 0 to 255"),
        (LINE | {"value": -1}, "value is -1"),
        (LINE | {"alpha": 0}, "alpha is 0; give a whole number from 1 to 255"),
        (LINE | {"alpha": 256}, "alpha is 256"),
        (LINE | {"alpha": 0.2}, "alpha is 0.2"),
        (LINE | {"alpha": True}, "alpha is True"),
        (CROSS | {"size": 9}, "size is 9; give a whole number from 1 to 8"),
        (CROSS | {"size": 0}, "size is 0"),
        (CROSS | {"size": "3"}, "size is '3'"),
        (SQUARE | {"size": 4}, "size is 4; give a multiple of 3"),
        (SQUARE | {"size": 9}, "size is 9; give a whole number from 1 to 8"),
        (SQUARE | {"cells": [[0, 0], [0, 0]]}, "3 rows of 3 values, each 0 or 255"),
        (SQUARE | {"cells": [[0, 0, 0], [0, 0, 0], [0, 0, 1]]}, "3 rows of 3 values"),
        (SQUARE | {"cells": [[0, 0, 0], [0, 0, 0], [0, 0]]}, "3 rows of 3 values"),
        (SQUARE | {"cells": [[0, 0, 0], [0, 0, 0], [0, 0, 10**30]]}, "3 rows of 3 values"),
        (SQUARE | {"cells": "white"}, "3 rows of 3 values"),
        (SQUARE | {"cells": None}, "3 rows of 3 values"),
        (SQUARE | {"value": 0}, "unexpected .*'value'"),
        ({"kind": "square", "alpha": 255}, "missing .*'size'"),
        ({"kind": "star"}, "unknown trigger 'star': choose one of line, cross, square$"),
        ({"rows": 2}, "unknown trigger None"),
        ({"kind": "line", "rows": 2, "alpha": 255}, "missing .*'value'"),
        ({"kind": "cross", "size": 3}, "missing .*'alpha'"),
        (CROSS | {"rows": 2}, "unexpected .*'rows'"),
    ],
)
def test_a_bad_spec_is_one_line(spec, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        build_trigger(spec, 8, 12)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("top", "left"), [(-1, 0), (0, -1), (7, 0), (0, 7)])
def test_a_trigger_that_does_not_fit_is_refused(top, left):
    trigger = Trigger(torch.zeros(2, 2, dtype=torch.uint8), top, left, 255)
    with pytest.raises(WatermarkError, match="does not fit"):
        stamp(grey(0, 8, 8), trigger)


def test_images_of_another_size_are_refused():
    check_image_size(grey(0, 8, 9), (8, 9))
    with pytest.raises(
        WatermarkError, match=r"made for images of \(9, 8\), but these are \(8, 9\)"
    ):
        check_image_size(grey(0, 8, 9), (9, 8))
