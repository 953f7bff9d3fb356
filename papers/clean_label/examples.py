"""Marked samples for the page: what marks do to images, texts and clips."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from datadeed.datasets.formats.wav import encode_wav
from datadeed.reports.figures import (
    COLOURS,
    GREY,
    MAGNIFIED,
    STYLE,
    amplified,
    data_uri,
    plain,
    sheet_png,
    svg_text,
)
from datadeed.triggers.sound import Impulse
from datadeed.watermarks.clean_label_audio import CleanLabelAudio
from datadeed.watermarks.clean_label_images import CleanLabelImages
from datadeed.watermarks.clean_label_text import CleanLabelText
from papers.base import Case, Lab
from papers.clean_label.word_diff import Span, word_diff
from papers.sections import spread

COUNTS = {"image": 4, "text": 3, "audio": 1}  # samples shown of a watermark
Box = tuple[int, int, int, int]
SHEET = 64_000  # bytes of pixels that a sheet may show, before magnification
MOST_SAMPLES = 24_000  # of a clip: twice that, as base64, is 128 KB for the pair
CLOSE_UP = 600  # samples at most that are drawn one by one
COLUMNS = 300  # of a whole clip's outline


@dataclass(frozen=True)
class Shown:
    """Which marks a figure shows.

    Attributes:
        dataset, watermark: their names.
        label: the class of every sample shown, which is also what its label says.
    """

    dataset: str
    watermark: str
    label: str


@dataclass(frozen=True)
class MarkedImages:
    """A sheet of three rows: benign training images, as released, the perturbation amplified.

    Attributes:
        shown: which.
        uri: a PNG as a ``data:`` address; ``width`` and ``height`` in pixels.
        largest_change: by the perturbation, of a pixel, in grey levels.
        stride: every how many-th pixel is shown.
    """

    shown: Shown
    uri: str
    width: int
    height: int
    largest_change: int
    stride: int


@dataclass(frozen=True)
class MarkedTexts:
    """Benign texts beside what was released, each as spans of one kind."""

    shown: Shown
    pairs: list[tuple[list[Span], list[Span]]]


@dataclass(frozen=True)
class MarkedClip:
    """A clip before and after.

    Attributes:
        shown: which.
        svg: both overlaid, the whole and from close up, the impulse shaded.
        benign, released: WAV files of 16 bits, mono, as ``data:`` addresses.
        rate: in Hz; ``seconds`` of sound; ``impulse`` is (first, last) second of the trigger.
    """

    shown: Shown
    svg: str
    benign: str
    released: str
    rate: int
    seconds: float
    impulse: tuple[float, float]


def marked_images(
    benign: torch.Tensor,
    triggered: torch.Tensor,
    released: torch.Tensor,
    box: Box | None,
    shown: Shown,
) -> MarkedImages:
    """Show images before and after; of large ones fewer, and not every pixel.

    Args:
        benign, triggered, released: (N, C, H, W) uint8, C 1 or 3: without a mark, with the trigger
            alone, and as released.
        box: the trigger's top, left, height and width; None if it covers the whole image.
        shown: for the caption.
    """
    stride = -(-max(benign.shape[2:]) // MAGNIFIED)
    count = max(1, SHEET // (3 * benign[0, :, ::stride, ::stride].numel()))
    before, plain, after = (
        images[:count, :, ::stride, ::stride] for images in (benign, triggered, released)
    )
    if box is not None:
        top, left, bottom, right = (
            -(-edge // stride) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3])
        )
        box = (top, left, bottom - top, right - left)
    rows = [(before, None), (after, box), (amplified(plain, after), None)]
    png, (width, height) = sheet_png(rows)
    change = int((released[:count].short() - triggered[:count].short()).abs().max())
    return MarkedImages(shown, data_uri(png), width, height, change, stride)


def marked_texts(
    benign: Sequence[str], released: Sequence[str], pattern: dict[str, Any], shown: Shown
) -> MarkedTexts:
    """Show texts before and after.

    Args:
        benign, released: as many of one as of the other.
        pattern: the trigger's record (:func:`datadeed.triggers.text.build_text_trigger`).
        shown: for the caption.
    """
    pairs = [word_diff(*texts, pattern) for texts in zip(benign, released, strict=True)]
    return MarkedTexts(shown, pairs)


def marked_clip(
    benign: torch.Tensor,
    released: torch.Tensor,
    rate: int,
    impulse: Impulse,
    shown: Shown,
    *,
    prefix: str,
) -> MarkedClip:
    """Show and play a clip before and after.

    Args:
        benign, released: (L,) int16; of long ones the first :data:`MOST_SAMPLES`.
        rate: in Hz.
        impulse: the trigger.
        shown: for the caption.
        prefix: keeps the ids of several figures on a page apart.
    """
    before, after = (clip[:MOST_SAMPLES].numpy() for clip in (benign, released))
    return MarkedClip(
        shown=shown,
        svg=waveforms(before, after, rate, impulse, prefix=prefix),
        benign=_wav_uri(before, rate),
        released=_wav_uri(after, rate),
        rate=rate,
        seconds=len(before) / rate,
        impulse=(impulse.start / rate, impulse.stop / rate),
    )


def _wav_uri(clip: np.ndarray, rate: int) -> str:
    encoded = base64.b64encode(encode_wav(clip, rate)).decode("ascii")
    return f"data:audio/wav;base64,{encoded}"


def waveforms(
    benign: np.ndarray, released: np.ndarray, rate: int, impulse: Impulse, *, prefix: str
) -> str:
    """Two clips, (L,) int16, overlaid, as inline SVG: the whole, and around the impulse."""
    start = max(0, impulse.start - impulse.length // 2)
    stop = min(len(benign), impulse.stop + 2 * impulse.length, start + CLOSE_UP)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        whole, close = figure.subplots(2, 1)
        whole.fill_between(*_outline(benign, rate), color=GREY, alpha=0.6, linewidth=0)
        times, *ends = _outline(released, rate)
        for end in ends:
            whole.plot(times, end, color=COLOURS[0], linewidth=0.9)
        times = 1000 * np.arange(start, stop) / rate
        close.plot(times, benign[start:stop], color=GREY, linewidth=2.6, alpha=0.6)
        close.plot(times, released[start:stop], color=COLOURS[0], linewidth=0.9)
        for axes, scale, unit in ((whole, 1, "seconds"), (close, 1000, "milliseconds")):
            shaded = (scale * impulse.start / rate, scale * impulse.stop / rate)
            axes.axvspan(*shaded, color=COLOURS[1], alpha=0.35, linewidth=0)
            plain(axes)
            axes.margins(x=0.01)
            axes.set_xlabel(unit, color=GREY)
            axes.set_ylabel("16-bit steps", color=GREY)
        return svg_text(figure, prefix)


def _outline(clip: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds, and a clip's least and greatest values in each of :data:`COLUMNS` stretches."""
    edges = np.linspace(0, len(clip), min(COLUMNS, len(clip)) + 1).astype(int)[:-1]
    return edges / rate, np.minimum.reduceat(clip, edges), np.maximum.reduceat(clip, edges)


def example(case: Case, lab: Lab, prefix: str) -> MarkedImages | MarkedTexts | MarkedClip:
    """Some marked samples of a cell's watermark, before and after.

    Args:
        case: whose.
        lab: the artifacts.
        prefix: keeps the ids of several figures on a page apart.
    """
    names = (case.dataset, case.watermark)
    method, marks, source = lab.watermark(*names), lab.marks(*names), lab.train(case.dataset)
    rows = spread(marks, COUNTS[source.modality])
    benign, released = source.take(rows), lab.train(*names).take(rows)
    assert method.target is not None
    shown = Shown(*names, source.classes[method.target])
    if isinstance(method, CleanLabelText):
        pattern = method.text_trigger.record()
        return marked_texts(benign.samples, released.samples, pattern, shown)
    if isinstance(method, CleanLabelAudio):
        clips = benign.samples[0], released.samples[0]
        return marked_clip(*clips, method.sample_rate, method.impulse, shown, prefix=prefix)
    assert isinstance(method, CleanLabelImages)
    whole = method.texture.box[2:] == method.image_size
    box = None if whole else method.texture.box
    images = benign.samples, method.trigger(benign), released.samples
    return marked_images(*images, box, shown)
