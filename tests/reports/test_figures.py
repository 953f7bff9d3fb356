"""The box is where the trigger is, and the same input gives the same bytes."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from datadeed.reports.figures import (
    BOX,
    GAP,
    MARGIN,
    magnification,
    one_of_each_class,
    picture,
    sheet_png,
    training_curves,
)
from datadeed.watermarks.registry import build_watermark


@pytest.fixture
def history() -> pd.DataFrame:
    """Two watermarks and the benign model, two epochs each."""
    rows = [
        {
            "dataset": "d",
            "network": "n",
            "watermark": watermark,
            "seed": seed,
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "test_accuracy": 0.4 * epoch,
        }
        for watermark in ("none", "badnets-line")
        for seed in (1, 2)
        for epoch in (1, 2)
    ]
    return pd.DataFrame(rows)


def test_box_surrounds_the_trigger_and_covers_no_pixel() -> None:
    images = torch.full((2, 1, 28, 28), 9, dtype=torch.uint8)
    top, left, height, width = 20, 18, 5, 7
    marked = images.clone()
    marked[:, :, top : top + height, left : left + width] = 255
    png, size = sheet_png([(images, None), (marked, (top, left, height, width))])
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    assert sheet.shape == (size[1], size[0], 4)
    zoom = magnification(28, 28)
    row = 28 * zoom + 2 * MARGIN + GAP  # the lower row of tiles
    inside = sheet[
        row + MARGIN + top * zoom : row + MARGIN + (top + height) * zoom,
        MARGIN + left * zoom : MARGIN + (left + width) * zoom,
    ]
    assert (inside[..., :3] == 255).all()
    frame = sheet[row + MARGIN + top * zoom - 1, MARGIN + left * zoom + 1]
    assert tuple(frame) == BOX
    upper = sheet[MARGIN : MARGIN + 28 * zoom, MARGIN : MARGIN + 28 * zoom]
    assert (upper[..., :3] == 9).all()


def test_picture_says_what_it_shows(toy_dataset) -> None:  # type: ignore[no-untyped-def]
    data = toy_dataset(9)
    mark = build_watermark(
        "blended", pattern={"kind": "cross", "size": 3}, image_size=(8, 8), rate=0.5, target=1
    )
    rows = data.take(one_of_each_class(data.labels, 2, avoid=1))
    shown = picture(rows, mark, dataset="toy", name="blended-cross")
    assert shown.classes == ["class 0", "class 2"]
    assert (shown.alpha, shown.target_class) == (0.2, "class 1")
    assert shown.uri.startswith("data:image/png;base64,")
    assert picture(rows, mark, dataset="toy", name="blended-cross") == shown


def test_curves_are_the_same_bytes_each_time(history: pd.DataFrame) -> None:
    first, again = (training_curves(history, ["badnets-line"]) for _ in range(2))
    assert first == again
    (curves,) = first
    assert curves.svg.lstrip().startswith("<svg")
    assert "dc:date" not in curves.svg
    changed = history.assign(test_accuracy=history.test_accuracy / 2)
    assert training_curves(changed, ["badnets-line"]) != first
