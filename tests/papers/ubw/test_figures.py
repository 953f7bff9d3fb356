"""UBW's figures show what changed, and repeat byte for byte."""

import base64
import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from datadeed.reports.figures import (
    AMPLIFIED,
    BOX,
    GAP,
    GREY_LEVEL,
    MARGIN,
    amplified,
    magnification,
)
from datadeed.watermarks.registry import build_watermark
from papers.ubw.figures import crafting_curves, example, label_histograms
from tests.papers.ubw.samples import frame, record


def badnets() -> Any:
    pattern = {"kind": "cross", "size": 3}
    return build_watermark("badnets", pattern=pattern, image_size=(8, 8), rate=0.5, target=1)


def sheet(uri: str) -> np.ndarray:
    """The picture's pixels, (H, W, 4)."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_a_change_is_amplified_around_grey() -> None:
    before = torch.tensor([100, 100, 100, 100, 250], dtype=torch.uint8)
    after = torch.tensor([100, 108, 92, 0, 255], dtype=torch.uint8)
    middle = GREY_LEVEL
    wanted = [middle, middle + 8 * AMPLIFIED, middle - 8 * AMPLIFIED, 0, middle + 5 * AMPLIFIED]
    assert amplified(before, after).tolist() == wanted


def test_example_of_a_pasted_trigger(toy_dataset: Any) -> None:
    data, mark = toy_dataset(6), badnets()
    released = mark.mark(data, torch.arange(6))
    shown = example(data, released, data, mark, dataset="toy", name="badnets-cross")
    assert shown.labels == ["class 0 → class 1", "class 1", "class 2 → class 1"] * 2
    assert shown.queries == ["class 0", "class 1", "class 2"] * 2
    change = (released.samples.int() - data.samples.int()).abs().max()
    assert shown.largest_change == change
    pixels, zoom = sheet(shown.uri), magnification(8, 8)
    step = 8 * zoom + 2 * MARGIN + GAP
    assert pixels.shape == (shown.height, shown.width, 4)
    assert shown.height == 4 * step - GAP
    above = mark.box[0] * zoom + MARGIN - 1  # just above the trigger
    beside = mark.box[1] * zoom + MARGIN + 1
    boxed = [tuple(pixels[row * step + above, beside]) == BOX for row in range(4)]
    assert boxed == [False, True, False, True]
    untouched = pixels[2 * step + MARGIN : 2 * step + MARGIN + zoom, MARGIN : MARGIN + zoom, :3]
    assert (untouched == GREY_LEVEL).all()


def test_example_of_a_perturbation_boxes_the_query_alone(toy_dataset: Any) -> None:
    data, mark = toy_dataset(3), badnets()
    samples = (data.samples.int() + 5).clamp(0, 255).to(torch.uint8)
    released = data.replace(samples=samples, labels=data.labels)
    shown = example(data, released, data, mark, dataset="toy", name="ours")
    assert shown.labels == ["class 0", "class 1", "class 2"]
    assert shown.largest_change == 5
    step = 8 * magnification(8, 8) + 2 * MARGIN + GAP
    rows = [sheet(shown.uri)[row * step : (row + 1) * step - GAP] for row in range(4)]
    assert [bool((row == BOX).all(-1).any()) for row in rows] == [False, False, False, True]
    assert shown == example(data, released, data, mark, dataset="toy", name="ours")


def test_histograms_show_one_model_of_each_kind() -> None:
    evidence = [
        record(name, seed)
        for name in ("wanet", "badnets-square", "ubw-p", "ubw-c")
        for seed in (1, 2)
    ]
    (figure,) = label_histograms(frame(evidence, page=True), str.upper)
    assert (figure.dataset, figure.network) == ("fashion-mnist", "resnet18-ubw")
    titles = [name for name in ("NONE", "WANET", "BADNETS", "UBW-P", "UBW-C") if name in figure.svg]
    assert titles == ["NONE", "WANET", "UBW-P"]
    assert label_histograms(frame(evidence, page=True), str.upper) == [figure]
    evidence[-3]["histogram"]["victim"][0] += 500
    assert label_histograms(frame(evidence, page=True), str.upper) != [figure]
    (single,) = label_histograms(frame(evidence[:2], page=True), str.upper)
    assert "UBW-P" not in single.svg


def test_crafting_curves_repeat_and_follow_the_losses() -> None:
    losses = {"ubw-c": [0.9, 0.5, 0.4]}
    first = crafting_curves(losses, ["sleeper-agent", "ubw-c"], prefix="a-")
    assert first == crafting_curves(losses, ["sleeper-agent", "ubw-c"], prefix="a-")
    assert first.startswith("<svg")
    assert "dc:date" not in first
    assert first != crafting_curves(
        {"ubw-c": [0.9, 0.5, 0.3]}, ["sleeper-agent", "ubw-c"], prefix="a-"
    )
    assert first != crafting_curves(losses, ["ubw-c"], prefix="a-")  # another colour
