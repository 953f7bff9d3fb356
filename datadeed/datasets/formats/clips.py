"""Sound files to clips: mono, of one length and one rate."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.columns import column
from datadeed.datasets.form.dataset import Form
from datadeed.datasets.formats import sound, wav
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.damaged import all_named
from datadeed.datasets.formats.split import Split
from datadeed.datasets.resampling import ratio, reach, resample
from datadeed.errors import ParameterError

RATE, SECONDS = 8000, 1.0
_LONGEST = 3600  # s


@dataclass(frozen=True)
class View:
    """The part of a sound that becomes a clip.

    Attributes:
        rate: of the clip, in Hz.
        seconds: its length.
        offset: where it starts in the sound, in seconds.

    Raises:
        ParameterError: a value makes no sense.
    """

    rate: int = RATE
    seconds: float = SECONDS
    offset: float = 0.0

    def __post_init__(self) -> None:
        low, high = wav.RATES
        if type(self.rate) is not int or not low <= self.rate <= high:
            raise ParameterError(
                f"option 'rate' is {self.rate!r}: give a whole number of Hz from {low} to {high}"
            )
        for name, least in (("seconds", 1 / self.rate), ("offset", 0.0)):
            value: object = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not least <= value <= _LONGEST:  # type: ignore[operator]
                raise ParameterError(
                    f"option {name!r} is {value!r}: give seconds, {_LONGEST} at most"
                )

    @property
    def length(self) -> int:
        """Of the clip, in samples."""
        return round(self.seconds * self.rate)

    def first(self, rate: int) -> int:
        """The frame that the clip starts at in a file of ``rate`` Hz."""
        return round(self.offset * rate)


@dataclass
class Fit:
    """How clips fitted their view, as far as blocks were asked for.

    Attributes:
        cut: clips that go on after the view.
        padded: clips that end before it and are filled up with zeros.
    """

    cut: int = 0
    padded: int = 0


class ClipBlocks(Blocks):
    """Blocks of clips, and how they fitted.

    Args:
        split: the sound files.
        view: what to take of each file.
    """

    def __init__(self, split: Split, view: View):
        self.fit = Fit()
        super().__init__(len(split), _read(split, view, self.fit))


def blocks(
    split: Split, *, rate: int = RATE, seconds: float = SECONDS, offset: float = 0.0
) -> ClipBlocks:
    """A split of clips, all of one length: longer ones are cut, shorter end in zeros.

    Args:
        split: the sound files.
        rate, seconds, offset: as for :class:`View`; channels are averaged.

    Raises:
        ParameterError: an option makes no sense.
    """
    return ClipBlocks(split, View(rate, seconds, offset))


def _read(split: Split, view: View, fit: Fit) -> Iterator[Clips]:
    items, rows = split.rows(), column(Form("audio", (view.length,), view.rate)).rows
    while True:
        samples, known = np.empty((rows, view.length), dtype=np.int16), []
        # One file at a time: each may be far longer than its clip.
        for row, (name, source, *numbers) in enumerate(itertools.islice(items, rows)):
            with all_named("sounds", split.stream, sound.fault, lambda: split.instead):
                form = sound.read_form(name, source)
                samples[row] = clip(name, source, form, view)
            present = (form.frames - view.first(form.rate)) / form.rate
            fit.cut += present > view.seconds
            fit.padded += present < view.seconds
            known.append(numbers)
        if not known:
            return
        labels, index = torch.tensor(known).T.contiguous()
        samples_here = torch.from_numpy(samples[: len(known)])
        yield Clips(samples_here, labels, index, split.classes, view.rate)


def clip(name: str, source: bytes | Path, form: wav.WavForm, view: View) -> np.ndarray:
    """One file's sound in a view: the mean of its channels, resampled, rounded, cut or filled up.

    Only the frames that the view depends on are read.

    Args:
        name: for messages.
        source: the file's bytes or path.
        form: what :func:`sound.read_form` found.
        view: what to take.

    Returns:
        (length,) int16; the very samples of a mono file of 16 bits at the view's rate.

    Raises:
        DatasetError: the file is damaged, or holds values that are no numbers.
    """
    up, down = ratio(form.rate, view.rate)
    first, margin = view.first(form.rate), reach(form.rate, view.rate)
    # A whole number of samples of the clip lies before its start, so that none falls in between.
    before = -(-margin // down)
    start, count = first - before * down, before * down + -(-view.length * down // up) + margin
    frames = sound.read_frames(name, source, form, max(0, start), count + min(0, start))
    sound.check_numbers(name, frames)
    mono = frames.mean(axis=1, dtype=np.float64) * (2**15 / form.full_scale)
    samples = np.zeros(view.length, dtype=np.int16)
    if not len(mono):
        return samples
    mono = np.pad(mono, (max(0, -start), 0))
    heard = resample(mono, form.rate, view.rate)[before * up :][: view.length]
    samples[: len(heard)] = np.clip(np.rint(heard), -(2**15), 2**15 - 1)
    return samples
