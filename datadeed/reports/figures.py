"""The report's figures: watermarked images with the trigger boxed, and training curves.

Both give the same bytes for the same input, since the page that holds them is an artifact.
"""

import base64
import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image, ImageDraw

from datadeed.datasets.form.dataset import Dataset
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.patch import PatchWatermark

MARGIN = 3  # pixels around an image, so that a box fits around a trigger at its edge
GAP = 6  # pixels between images
LINE = 2  # the box's thickness in pixels
MAGNIFIED = 96  # small images grow to about this many pixels
BOX = (213, 94, 0, 255)
FRAME = (128, 128, 128, 110)

# Okabe and Ito's palette, without its yellow and black, which vanish on white and on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
DASHES = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))  # a second sign besides the colour
STYLE: Any = {"svg.hashsalt": "datadeed", "svg.fonttype": "none", "font.size": 9.0}
AMPLIFIED = 8  # a change of 16 grey levels shows as half of white
GREY_LEVEL = 128
GREY = "#808080"  # readable on white and on black; the page may recolour it


@dataclass(frozen=True)
class Picture:
    """One watermark on a few images.

    Attributes:
        uri: a PNG as a ``data:`` address.
        width, height: in pixels.
        dataset, watermark: their names.
        method: the watermark's method.
        alpha: opacity, above 0 and at most 1; None for a method that pastes no pattern.
        target: the target label's number; ``target_class`` its name.
        classes: the images' classes, from left to right.
    """

    uri: str
    width: int
    height: int
    dataset: str
    watermark: str
    method: str
    alpha: float | None
    target: int | None
    target_class: str
    classes: list[str]


@dataclass(frozen=True)
class Curves:
    """The training curves of one network on one dataset, as inline SVG."""

    dataset: str
    network: str
    svg: str


@dataclass(frozen=True)
class Stroke:
    """How one watermark's line is drawn."""

    colour: str
    dashes: tuple[float, ...]


def one_of_each_class(labels: torch.Tensor, count: int, avoid: int | None) -> torch.Tensor:
    """Positions, ascending, of the first image of ``count`` classes other than ``avoid``.

    Args:
        labels: (N,) int64.
        count: how many classes; fewer are taken when there are no more.
        avoid: a class to leave out: the target's own images would keep their label.
    """
    kinds = [kind for kind in labels.unique().tolist() if kind != avoid]
    spread = [kinds[i * len(kinds) // count] for i in range(count)] if len(kinds) > count else kinds
    first = [int((labels == kind).nonzero()[0]) for kind in spread]
    return torch.tensor(sorted(first), dtype=torch.int64)


def picture(samples: Dataset, watermark: Watermark, *, dataset: str, name: str) -> Picture:
    """Show benign ``samples`` above the same samples as verification asks with them.

    Args:
        samples: a few benign images, (N, C, H, W) uint8, C 1 or 3.
        watermark: the method; its trigger is boxed when it has a place.
        dataset, name: for the caption.
    """
    box = watermark.box if isinstance(watermark, PatchWatermark) else None
    png, (width, height) = sheet_png([(samples.samples, None), (watermark.trigger(samples), box)])
    target = watermark.target
    alpha = watermark.record().get("trigger", {}).get("alpha_255ths")
    return Picture(
        uri=data_uri(png),
        width=width,
        height=height,
        dataset=dataset,
        watermark=name,
        method=watermark.name,
        alpha=None if alpha is None else alpha / 255,
        target=target,
        target_class="" if target is None else samples.classes[target],
        classes=[samples.classes[label] for label in samples.labels.tolist()],
    )


def sheet_png(
    rows: list[tuple[torch.Tensor, tuple[int, int, int, int] | None]],
) -> tuple[bytes, tuple[int, int]]:
    """Rows of magnified images of one size, each row with or without a box on its images.

    Args:
        rows: (N, C, H, W) uint8, C 1 or 3, and top, left, height and width of the box in pixels.

    Returns:
        A PNG with a transparent background, and its width and height.
    """
    n, _, height, width = rows[0][0].shape
    zoom = magnification(height, width)
    step_x, step_y = (side * zoom + 2 * MARGIN + GAP for side in (width, height))
    sheet = Image.new("RGBA", (n * step_x - GAP, len(rows) * step_y - GAP), (0, 0, 0, 0))
    for row, (images, box) in enumerate(rows):
        for column, image in enumerate(images):
            sheet.paste(_tile(image, zoom, box), (column * step_x, row * step_y))
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue(), sheet.size


def magnification(height: int, width: int) -> int:
    """How many pixels of the figure one pixel of an image gets along each side."""
    return max(1, round(MAGNIFIED / max(height, width)))


def _tile(image: torch.Tensor, zoom: int, box: tuple[int, int, int, int] | None) -> Image.Image:
    """One framed image, (C, H, W) uint8, with the trigger boxed just outside its pixels."""
    channels, height, width = image.shape
    pixels = image.expand(3, -1, -1) if channels == 1 else image
    big = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    big = big.resize((width * zoom, height * zoom), Image.Resampling.NEAREST)
    tile = Image.new("RGBA", (big.width + 2 * MARGIN, big.height + 2 * MARGIN), (0, 0, 0, 0))
    draw = ImageDraw.Draw(tile)
    _outline(draw, (0, 0, big.height, big.width), FRAME, 1)
    tile.paste(big, (MARGIN, MARGIN))
    if box is not None:
        top, left, tall, wide = (value * zoom for value in box)
        _outline(draw, (top, left, tall, wide), BOX, LINE)
    return tile


def _outline(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    colour: tuple[int, int, int, int],
    line: int,
) -> None:
    """Draw around ``box`` (top, left, height, width inside the margin), never over it."""
    top, left, height, width = box
    x, y = left + MARGIN, top + MARGIN
    corners = (x - line, y - line, x + width + line - 1, y + height + line - 1)
    draw.rectangle(corners, outline=colour, width=line)


def amplified(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """The change times :data:`AMPLIFIED` around a middle grey, cut off at black and white.

    Args:
        before, after: (N, C, H, W) uint8.

    Returns:
        (N, C, H, W) uint8; :data:`GREY_LEVEL` where nothing changed.
    """
    change = after.to(torch.int16) - before.to(torch.int16)
    return (GREY_LEVEL + AMPLIFIED * change).clamp(0, 255).to(torch.uint8)


def data_uri(png: bytes) -> str:
    """A PNG as an address that needs no request."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def strokes(watermarks: list[str]) -> dict[str, Stroke]:
    """Colour and dashes for each watermark, "none" (the honest model) first and in grey."""
    found = {"none": Stroke(GREY, ())}
    for i, name in enumerate(w for w in watermarks if w != "none"):
        found[name] = Stroke(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)])
    return found


def training_curves(history: pd.DataFrame, watermarks: list[str]) -> list[Curves]:
    """Test accuracy and training loss an epoch; one figure for each dataset and network.

    Figures of one dataset share their axes' limits, so that networks can be compared.

    Args:
        history: columns ``dataset, network, watermark, seed, epoch, train_loss, test_accuracy``.
        watermarks: fixes the colours.
    """
    made: list[Curves] = []
    styles = strokes(watermarks)
    for dataset, here in history.groupby("dataset", sort=False):
        limits = {name: _limits(here[name]) for name in ("test_accuracy", "train_loss")}
        for network, rows in here.groupby("network", sort=False):
            svg = _svg(rows, styles, limits, prefix=f"curves{len(made)}-")
            made.append(Curves(str(dataset), str(network), svg))
    return made


def _limits(values: pd.Series) -> tuple[float, float]:
    """Axis limits a little wider than the values."""
    low, high = float(values.min()), float(values.max())
    pad = 0.06 * (high - low) or 0.05
    return low - pad, high + pad


def _svg(
    history: pd.DataFrame,
    styles: dict[str, Stroke],
    limits: dict[str, tuple[float, float]],
    *,
    prefix: str,
) -> str:
    """One network's two panels. ``prefix`` keeps the ids of several figures on a page apart."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        for axes, column, label in (
            (upper, "test_accuracy", "test accuracy"),
            (lower, "train_loss", "training loss"),
        ):
            _panel(axes, history, column, styles)
            plain(axes)
            axes.set_ylabel(label, color=GREY)
            axes.set_ylim(*limits[column])
        upper.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        lower.set_xlabel("epoch", color=GREY)
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        return svg_text(figure, prefix)


def svg_text(figure: Figure, prefix: str) -> str:
    """A figure as inline SVG; call it within ``matplotlib.rc_context(STYLE)``."""
    stream = io.StringIO()
    bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=bare)
    return inline(stream.getvalue(), prefix)


def plain(axes: Axes) -> None:
    """A faint grid and no frame."""
    axes.grid(color=GREY, alpha=0.25, linewidth=0.5)
    axes.tick_params(colors=GREY, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _panel(axes: Axes, history: pd.DataFrame, column: str, styles: dict[str, Stroke]) -> None:
    """A thin line a seed, and their mean as a thick one, for each watermark."""
    for name, style in styles.items():
        rows = history[history.watermark == name]
        if rows.empty:
            continue
        dashes = (0, style.dashes) if style.dashes else "solid"
        for _, run in rows.groupby("seed"):
            axes.plot(run.epoch, run[column], color=style.colour, linewidth=0.6, alpha=0.55)
        mean = rows.groupby("epoch")[column].mean()
        dots = "o" if len(mean) <= 12 else ""
        axes.plot(
            mean.index, mean, color=style.colour, linewidth=1.8, linestyle=dashes,
            marker=dots, markersize=3,
        )  # fmt: skip


def inline(svg: str, prefix: str) -> str:
    """Only the ``<svg>`` element, without names of schemas, its ids made unique on the page."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r' (?:xmlns(?::xlink)?|version)="[^"]*"', "", svg)
    style = r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>\s*"  # would style the whole page
    svg = re.sub(style, "", svg)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    return re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', svg)
