from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.triggers.texture import Texture, build_texture

PATCH = {"kind": "patch", "size": 3, "colour": [255, 0, 7]}
MOSAIC = {"kind": "mosaic", "cells": 4, "alpha": 51, "seed": 1}


def noise(*shape, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)


class TestPatch:
    @pytest.mark.parametrize(
        ("place", "top", "left"),
        [
            ("top-left", 0, 0),
            ("top-right", 0, 9),
            ("bottom-left", 7, 0),
            ("bottom-right", 7, 9),
            ("centre", 3, 4),
        ],
    )
    def test_it_is_one_colour_at_its_place_and_nothing_else_changes(self, place, top, left):
        images = noise(2, 3, 10, 12)
        before = images.clone()
        texture = build_texture({**PATCH, "place": place}, 10, 12)
        assert texture.box == (top, left, 3, 3)
        marked = texture(images)
        for channel, value in enumerate([255, 0, 7]):
            assert bool((marked[:, channel, top : top + 3, left : left + 3] == value).all())
        marked[:, :, top : top + 3, left : left + 3] = images[:, :, top : top + 3, left : left + 3]
        assert torch.equal(marked, images)
        assert torch.equal(images, before)

    def test_grey_fits_any_number_of_channels(self):
        texture = build_texture({"kind": "patch", "size": 2, "colour": 9}, 4, 4)
        for channels in (1, 3):
            assert bool((texture(noise(1, channels, 4, 4))[:, :, 2:, 2:] == 9).all())

    def test_the_released_band(self):
        """The leftmost int(224 / 10 * 1.5) = 33 columns, black."""
        spec = {"kind": "patch", "size": [224, 33], "colour": 0, "place": "top-left"}
        marked = build_texture(spec, 224, 224)(noise(1, 3, 224, 224) | 1)
        assert not bool(marked[..., :33].any())
        assert bool((marked[..., 33:] > 0).all())


class TestMosaic:
    def test_cells_are_of_one_value_and_as_many_as_asked(self):
        texture = build_texture({**MOSAIC, "colours": "colour"}, 8, 12)
        assert texture.pattern.shape == (3, 8, 12)
        blocks = texture.pattern.view(3, 4, 2, 4, 3)
        assert torch.equal(blocks, blocks[:, :, :1, :, :1].expand_as(blocks))
        assert len(set(map(tuple, blocks[:, :, 0, :, 0].reshape(3, 16).T.tolist()))) == 16

    def test_cells_need_not_divide_the_image(self):
        pattern = build_texture({**MOSAIC, "cells": 3}, 7, 5).pattern[0]
        changes = [int((pattern.diff(dim=axis) != 0).any(1 - axis).sum()) for axis in (0, 1)]
        assert changes == [2, 2]

    def test_the_seed_decides(self):
        one, same, other = (
            build_texture({**MOSAIC, "seed": seed}, 8, 8).pattern.tolist() for seed in (1, 1, 2)
        )
        assert one == same != other

    def test_values_are_uniform(self):
        """4,096 cells in 16 bins of 256 each: chi-square, 15 degrees, 0.001."""
        pattern = build_texture({**MOSAIC, "cells": 64}, 64, 64).pattern
        counts = torch.bincount(pattern.flatten().long() // 16, minlength=16).double()
        assert float(((counts - 256) ** 2 / 256).sum()) < 37.7

    @given(pixel=st.integers(0, 255), alpha=st.integers(1, 254), value=st.integers(0, 255))
    def test_the_blend_is_exact(self, pixel, alpha, value):
        """floor((1 - alpha) x + alpha t), alpha in 255ths."""
        texture = Texture(torch.full((1, 1, 1), value, dtype=torch.uint8), 0, 0, alpha)
        found = texture(torch.full((1, 1, 1, 1), pixel, dtype=torch.uint8))
        assert found.item() == ((255 - alpha) * pixel + alpha * value) // 255

    @settings(max_examples=200)
    @given(
        pixel=st.integers(0, 255),
        moved=st.integers(0, 255),
        alpha=st.integers(1, 254),
        value=st.integers(0, 255),
    )
    def test_a_blend_shrinks_what_was_perturbed_before(self, pixel, moved, alpha, value):
        texture = Texture(torch.full((1, 1, 1), value, dtype=torch.uint8), 0, 0, alpha)
        pair = torch.tensor([pixel, moved], dtype=torch.uint8).view(2, 1, 1, 1)
        one, two = texture(pair).flatten().tolist()
        assert abs(one - two) <= ceil(abs(pixel - moved) * (255 - alpha) / 255)


@pytest.mark.parametrize("spec", [PATCH, MOSAIC, {**MOSAIC, "colours": "colour"}])
def test_the_record_tells_triggers_apart(spec):
    record = build_texture(spec, 8, 8).record()
    assert record == build_texture(spec, 8, 8).record()
    other = {**spec, "seed": 2} if spec["kind"] == "mosaic" else {**spec, "colour": [255, 0, 8]}
    assert record["pattern_sha256"] != build_texture(other, 8, 8).record()["pattern_sha256"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({**PATCH, "size": 9}, "9x9 pixels do not fit into an image of 8x8"),
        ({**PATCH, "size": [2, 9]}, "2x9 pixels do not fit"),
        ({**PATCH, "size": 0}, "size is 0"),
        ({**PATCH, "size": [1, 2, 3]}, r"size is \[1, 2, 3\]"),
        ({**PATCH, "size": 2.0}, "size is 2.0"),
        ({**PATCH, "size": None}, "size is None"),
        ({**PATCH, "colour": 256}, "colour is 256"),
        ({**PATCH, "colour": []}, r"colour is \[\]"),
        ({**PATCH, "colour": "red"}, "colour is 'red'"),
        ({**PATCH, "colour": None}, "colour is None"),
        ({**PATCH, "place": "middle"}, "place is 'middle'; choose one of top-left"),
        ({**PATCH, "alpha": 9}, "unexpected .*'alpha'"),
        ({"kind": "patch", "size": 3}, "missing .*'colour'"),
        ({**MOSAIC, "cells": 1}, "cells is 1; give a whole number from 2 to 8"),
        ({**MOSAIC, "cells": 9}, "cells is 9"),
        ({**MOSAIC, "alpha": 255}, "alpha is 255; give a whole number from 1 to 254"),
        ({**MOSAIC, "alpha": 0.2}, "alpha is 0.2"),
        ({**MOSAIC, "seed": -1}, "seed is -1"),
        ({**MOSAIC, "seed": 1.5}, "seed is 1.5"),
        ({**MOSAIC, "colours": "red"}, "colours is 'red'"),
        ({"kind": "square"}, "unknown trigger 'square': choose one of patch, mosaic"),
        ({}, "unknown trigger None"),
    ],
)
def test_bad_values_are_one_line(spec, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        build_texture(spec, 8, 8)
    assert "\n" not in str(caught.value)


def test_a_coloured_trigger_needs_as_many_channels():
    for spec in (PATCH, {**MOSAIC, "colours": "colour"}):
        with pytest.raises(WatermarkError, match="has 3 channels, but the images have 1"):
            build_texture(spec, 8, 8)(noise(1, 1, 8, 8))
