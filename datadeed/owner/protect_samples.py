"""How the samples of an owner's files reach a watermark, and what it makes of them goes back.

A watermark sees images of one size, whole texts, or clips of one length and rate. Files hold sound
of any length, rate and number of channels.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats.blocks import collect
from datadeed.datasets.formats.clips import ClipBlocks, View
from datadeed.datasets.formats.registry import chunks
from datadeed.datasets.formats.wav import WavForm
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.keys.key import Extent
from datadeed.owner.data import KINDS, METHOD_OF, Note, Progress, measure
from datadeed.owner.release.carrying import carry, strike
from datadeed.owner.release.clips import ClipItems
from datadeed.owner.release.edits import Edit
from datadeed.owner.release.grid import grid_of, within
from datadeed.owner.release.rows import Items
from datadeed.owner.samples import to_tensor
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.registry import watermark_class

RATE = 8000  # Hz, of the sound that a watermark sees


@dataclass(frozen=True)
class Original:
    """One split of an owner's files, for one method.

    Attributes:
        source: the files.
        data: the split.
        name: its name, if it has one.
        reading: what only the format knows.
        method: that will mark it.
        progress, note: what the owner is told.
    """

    source: Path
    data: Items
    name: str | None
    reading: dict[str, Any]
    method: str
    progress: Progress
    note: Note


class Samples(ABC):
    """The rows of one split.

    Args:
        original: one split, as files hold it.

    Attributes:
        original: as given.
        form: of what a watermark sees of each row.
        texts: all of them, if they are texts.
    """

    form: Form
    texts: tuple[str, ...] = ()

    def __init__(self, original: Original):
        self.original, self._data = original, original.data

    @abstractmethod
    def read(self, *, keep: bool) -> tuple[Extent, Dataset | None]:
        """Measure the split in one pass, and check that the watermark fits each row.

        Args:
            keep: whether all samples are wanted, in memory.
        """

    @abstractmethod
    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row, as the watermark sees it."""

    @abstractmethod
    def back(self, row: int, sample: Any, marked: Any, watermark: Watermark) -> Any:
        """What a file's sample becomes, after one that was marked; ``marked`` holds one row."""

    def edit(self, watermark: Watermark, positions: torch.Tensor) -> tuple[Edit, list[int]]:
        """The function that marks a row, and the list to which it adds the row's new label."""
        ranks = {row: rank for rank, row in enumerate(positions.tolist())}
        labels: list[int] = []

        def edit(row: int, sample: Any, label: int) -> tuple[Any, int]:
            one = self.row(row, sample, label)
            marked = watermark.mark(one, torch.tensor([ranks[row]]))
            labels.append(int(marked.labels[0]))
            return self.back(row, sample, marked.samples, watermark), labels[-1]

        return edit, labels

    def _measure(self, data: Items) -> Extent:
        return measure(data, "data", progress=self.original.progress)[0]

    def _labels(self) -> torch.Tensor:
        return torch.from_numpy(np.asarray(self._data.labels, dtype=np.int64))

    def _one(self, label: int, row: int) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        """A row's label, number and classes, as a dataset takes them."""
        return torch.tensor([label]), torch.tensor([row]), self._data.classes


class Pictures(Samples):
    """Images of one size."""

    def __init__(self, original: Original):
        super().__init__(original)
        self._size = height, width, channels = next(iter(original.data)).pixels.shape
        self.form = Form("image", (channels, height, width))

    def read(self, *, keep: bool) -> tuple[Extent, Dataset | None]:
        """As :meth:`Samples.read`; a tensor of all pixels is filled if they are wanted.

        Raises:
            WatermarkError: an image has another size.
        """
        pixels = np.empty((self._data.rows, *self._size), dtype=np.uint8) if keep else None
        extent = self._measure(self._of_one_size(pixels))
        if pixels is None:
            return extent, None
        samples, rows = torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.arange(len(pixels))
        return extent, Dataset(samples, self._labels(), rows, self._data.classes)

    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row."""
        return Dataset(to_tensor(sample), *self._one(label, row))

    def back(self, row: int, sample: Any, marked: Any, watermark: Watermark) -> Any:
        """(H, W, C) uint8."""
        return marked[0].permute(1, 2, 0).numpy()

    def _of_one_size(self, into: np.ndarray | None) -> Items:
        """The same items, checked as they are read, and copied if they are wanted."""
        data, size, method = self._data, self._size, self.original.method

        def stream() -> Iterator[np.ndarray]:
            for row, pixels, _ in data:
                if pixels.shape != size:
                    raise WatermarkError(
                        f"image {row} is {pixels.shape[0]}x{pixels.shape[1]}, but image 0 is "
                        f"{size[0]}x{size[1]}: {method} needs images of one size; scale them, or "
                        "mark without --method"
                    )
                if into is not None:
                    into[row] = pixels
                yield pixels

        return Items(data.format, data.classes, data.labels, data.channels, stream)


class Sentences(Samples):
    """Texts, all in memory, whole.

    Args:
        original: one split, as files hold it.
        word: the trigger, if it was chosen.

    Raises:
        WatermarkError: the texts' encoding cannot hold the word.
    """

    form = Form("text", ())

    def __init__(self, original: Original, word: str | None):
        super().__init__(original)
        _check_word(word, original.reading.get("encoding"))
        self.texts = tuple(item.sample for item in original.data)

    def read(self, *, keep: bool) -> tuple[Extent, Dataset | None]:
        """As :meth:`Samples.read`."""
        extent, rows = self._measure(self._data), torch.arange(self._data.rows)
        return extent, Texts(list(self.texts), self._labels(), rows, self._data.classes)

    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row."""
        return Texts([sample], *self._one(label, row))

    def back(self, row: int, sample: Any, marked: Any, watermark: Watermark) -> Any:
        """A str."""
        return marked[0]


class Sounds(Samples):
    """The first seconds of each file, mono at 8 kHz; a mark goes back to all channels."""

    def __init__(self, original: Original, seconds: float):
        super().__init__(original)
        self._view = View(RATE, seconds)
        self.form = Form("audio", (self._view.length,), RATE)
        self._clips: Dataset | None = None

    def read(self, *, keep: bool) -> tuple[Extent, Dataset | None]:
        """As :meth:`Samples.read`; says how many files go on after what a watermark sees."""
        original, data = self.original, self._data
        extent = self._measure(data)
        seen = {"rate": RATE, "seconds": self._view.seconds, **original.reading}
        blocks = chunks(original.source, format=data.format, split=original.name, **seen)
        self._clips = collect(blocks, original.source)
        assert isinstance(blocks, ClipBlocks)
        if blocks.fit.cut:
            original.note(
                f"{blocks.fit.cut} of {data.rows} files are longer than {self._view.seconds:g} s: "
                f"only the first {self._view.seconds:g} s of each is perturbed and gets the "
                "trigger, and only a model that hears it can learn it (--seconds)"
            )
        return extent, self._clips

    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row, from the clips that were read."""
        assert isinstance(self._clips, Clips)
        return Clips(self._clips.samples[[row]], *self._one(label, row), RATE)

    def back(self, row: int, sample: Any, marked: Any, watermark: Watermark) -> Any:
        """(frames, channels) of the file's own kind, the change and the impulse in all channels.

        Values stay on the file's own grid. Outside the impulse none moves by more than the
        watermark's epsilon: where the grid is coarser, they stay. ``sample`` is changed and
        returned: of a long file there should be no copies.

        Raises:
            WatermarkError: the impulse ends after the file, or is no value of its grid but 0.
        """
        mark: Any = watermark
        assert self._clips is not None
        form, impulse, snap = self._form(row), mark.impulse, grid_of(sample, self._form(row))
        delta = (marked[0].int() - self._clips.samples[row].int()).numpy()
        delta[impulse.start : impulse.stop] = 0
        heard = sample[: math.ceil(self._view.length * form.rate / RATE)]
        if mark.perturb and delta.any():
            new = carry(heard, form, delta, self._view, epsilon=mark.epsilon)
            heard[:] = within(snap, new, heard, mark.epsilon * form.full_scale / 2**15)
        at = {"start": impulse.start, "length": impulse.length, "amplitude": impulse.amplitude}
        heard[:] = strike(heard, form, self._view, **at, snap=snap)
        return sample

    def _form(self, row: int) -> WavForm:
        assert isinstance(self._data, ClipItems)
        return self._data.forms[row]


def open_samples(original: Original, *, seconds: float = 1.0, word: str | None = None) -> Samples:
    """The rows of a split, for its method.

    Args:
        original: one split, as files hold it.
        seconds: of sound, how much of each file a model hears.
        word: of texts, the trigger if it was chosen.

    Raises:
        UnsupportedModality: the method marks samples of another kind.
        WatermarkError: the texts' encoding cannot hold the word.
        DatasetError: ``seconds`` makes no sense.
    """
    wanted, found = watermark_class(original.method).modality, original.data.modality
    if wanted != found:
        raise UnsupportedModality(
            f"{original.method} marks {KINDS[wanted]}, but {original.source} holds "
            f"{KINDS[found]}: give --method {METHOD_OF[found]}"
        )
    if wanted == "text":
        return Sentences(original, word)
    return Sounds(original, seconds) if wanted == "audio" else Pictures(original)


def _check_word(word: str | None, encoding: str | None) -> None:
    """Refuse a trigger that the copy could not hold, before hours of crafting."""
    try:
        (word or "").encode(encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise WatermarkError(
            f"--word is {word!r}, which {encoding or 'utf-8'} cannot hold: give another word"
        ) from error
