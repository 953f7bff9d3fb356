"""Figures of marked samples show what changed, and repeat byte for byte."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from datadeed.datasets.formats.wav import read_form, read_frames
from datadeed.reports.figures import AMPLIFIED, BOX, GAP, GREY_LEVEL, MARGIN, magnification
from datadeed.triggers.sound import Impulse
from papers.clean_label.examples import (
    MOST_SAMPLES,
    Shown,
    marked_clip,
    marked_images,
    marked_texts,
)

SHOWN = Shown("fashion", "patch-10", "Coat")
LIMIT = 200_000  # bytes that a dataset may add to the page


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)


def sheet(uri: str) -> np.ndarray:
    """The picture's pixels, (H, W, 4)."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_a_sheet_shows_the_perturbation_without_the_trigger() -> None:
    benign = torch.full((4, 1, 8, 8), 100, dtype=torch.uint8)
    triggered = benign.clone()
    triggered[:, :, 6:, 6:] = 255
    released = triggered.clone()
    released[:, :, 0, 0] += 5
    shown = marked_images(benign, triggered, released, (6, 6, 2, 2), SHOWN)
    assert (shown.largest_change, shown.stride) == (5, 1)
    pixels, zoom = sheet(shown.uri), magnification(8, 8)
    step = 8 * zoom + 2 * MARGIN + GAP
    assert pixels.shape == (shown.height, shown.width, 4)
    assert (shown.height, shown.width) == (3 * step - GAP, 4 * step - GAP)
    rows = [pixels[k * step : (k + 1) * step - GAP, : step - GAP] for k in range(3)]
    assert [bool((row == BOX).all(-1).any()) for row in rows] == [False, True, False]
    first, last = MARGIN + 1, MARGIN + 8 * zoom - 2  # a pixel inside of either corner
    assert [row[first, first, 0] for row in rows] == [100, 105, GREY_LEVEL + 5 * AMPLIFIED]
    assert [row[last, last, 0] for row in rows] == [100, 255, GREY_LEVEL]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224)])
def test_two_triggers_of_any_size_keep_a_dataset_small(shape: tuple[int, int, int]) -> None:
    benign, released = noise(4, *shape), noise(4, *shape, seed=1)
    shown = marked_images(benign, benign, released, (0, 0, 3, 3), SHOWN)
    assert 2 * len(shown.uri) < LIMIT
    assert shown.stride == (3 if shape[1] == 224 else 1)


def test_a_patch_of_a_large_image_is_boxed_where_its_pixels_are() -> None:
    benign = torch.zeros(1, 1, 200, 200, dtype=torch.uint8)
    released = benign.clone()
    released[:, :, 100:, 50:101] = 255
    shown = marked_images(benign, released, released, (100, 50, 100, 51), SHOWN)
    assert shown.stride == 3
    middle = sheet(shown.uri)[67 + 2 * MARGIN + GAP :][: 67 + 2 * MARGIN]
    white = np.argwhere((middle == 255).all(-1))
    boxed = np.argwhere((middle == BOX).all(-1))
    assert (boxed.min(0) == white.min(0) - 2).all()  # the box is two pixels thick
    assert (boxed.max(0) == white.max(0) + 2).all()


def test_texts_are_shown_in_pairs() -> None:
    pattern = {"kind": "word", "word": "frankly", "place": "start"}
    shown = marked_texts(["good film", "bad"], ["frankly good film", "frankly bad"], pattern, SHOWN)
    assert [released[0].kind for _, released in shown.pairs] == ["trigger"] * 2
    assert "".join(span.text for span in shown.pairs[0][0]) == "good film"


def clip(length: int = 8000) -> torch.Tensor:
    return (3000 * torch.sin(torch.arange(length) / 20)).to(torch.int16)


def played(uri: str) -> tuple[int, np.ndarray]:
    """Rate and samples of a WAV file."""
    head, _, content = uri.partition(",")
    assert head == "data:audio/wav;base64"
    data = base64.b64decode(content)
    form = read_form("clip", data)
    return form.rate, read_frames("clip", data, form)[:, 0]


def test_a_clip_plays_bit_for_bit_and_draws_its_impulse() -> None:
    benign, impulse = clip(), Impulse(40, 80, 164)
    released = impulse(benign[None])[0]
    shown = marked_clip(benign, released, 8000, impulse, SHOWN, prefix="a-")
    assert shown.impulse == (0.005, 0.015)
    for uri, samples in ((shown.benign, benign), (shown.released, released)):
        rate, found = played(uri)
        assert rate == 8000
        assert (found == samples.numpy()).all()
    assert shown == marked_clip(benign, released, 8000, impulse, SHOWN, prefix="a-")
    other = marked_clip(benign, released + 50, 8000, impulse, SHOWN, prefix="a-")
    assert other.svg != shown.svg
    assert all(name.startswith("a-") for name in re.findall(r'\bid="([^"]+)"', shown.svg))
    assert "dc:date" not in shown.svg


def test_a_long_clip_is_cut_and_a_short_one_is_not() -> None:
    for length, seconds in ((10 * MOST_SAMPLES, MOST_SAMPLES / 8000), (100, 100 / 8000)):
        samples, impulse = clip(length), Impulse(0, 80, 164)
        shown = marked_clip(samples, samples, 8000, impulse, SHOWN, prefix="a-")
        assert shown.seconds == seconds
        assert len(shown.svg) + len(shown.benign) + len(shown.released) < LIMIT
