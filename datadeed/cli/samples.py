"""How the samples of an owner's files reach a watermark, and what it makes of them goes back.

A watermark sees images of one size, whole texts, or clips of one length and rate. Files hold sound
of any length, rate and number of channels.
"""

import argparse
import contextlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from datadeed.cli.common import KINDS, METHOD_OF, measure, say, to_tensor
from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.datasets.form.texts import Texts
from datadeed.errors import DatasetError, UnsupportedModality, WatermarkError
from datadeed.owner.release.rows import Items

if TYPE_CHECKING:
    import torch

    from datadeed.datasets.formats.wav import WavForm
    from datadeed.keys.key import Extent
    from datadeed.owner.release.edits import Edit
    from datadeed.watermarks.base import Watermark

RATE = 8000  # Hz, of the sound that a watermark sees


class Samples(ABC):
    """The rows of one split.

    Args:
        options: the command's.
        data: the split.
        split: its name.

    Attributes:
        form: of what a watermark sees of each row.
        texts: all of them, if they are texts.
    """

    form: Form
    texts: tuple[str, ...] = ()

    def __init__(self, options: argparse.Namespace, data: Items, split: str | None):
        self._options, self._data, self._split = options, data, split

    @abstractmethod
    def read(self, *, keep: bool) -> "tuple[Extent, Dataset | None]":
        """Measure the split in one pass, and check that the watermark fits each row.

        Args:
            keep: whether all samples are wanted, in memory.
        """

    @abstractmethod
    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row, as the watermark sees it."""

    @abstractmethod
    def back(self, row: int, sample: Any, marked: Any, watermark: "Watermark") -> Any:
        """What a file's sample becomes, after one that was marked; ``marked`` holds one row."""

    def edit(self, watermark: "Watermark", positions: "torch.Tensor") -> "tuple[Edit, list[int]]":
        """The function that marks a row, and the list to which it adds the row's new label."""
        import torch

        ranks = {row: rank for rank, row in enumerate(positions.tolist())}
        labels: list[int] = []

        def edit(row: int, sample: Any, label: int) -> tuple[Any, int]:
            one = self.row(row, sample, label)
            marked = watermark.mark(one, torch.tensor([ranks[row]]))
            labels.append(int(marked.labels[0]))
            return self.back(row, sample, marked.samples, watermark), labels[-1]

        return edit, labels

    def _labels(self) -> "torch.Tensor":
        import torch

        return torch.from_numpy(np.asarray(self._data.labels, dtype=np.int64))

    def _one(self, label: int, row: int) -> "tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]":
        """A row's label, number and classes, as a dataset takes them."""
        import torch

        return torch.tensor([label]), torch.tensor([row]), self._data.classes


class Pictures(Samples):
    """Images of one size."""

    def __init__(self, options: argparse.Namespace, data: Items, split: str | None):
        super().__init__(options, data, split)
        self._size = height, width, channels = next(iter(data)).pixels.shape
        self.form = Form("image", (channels, height, width))

    def read(self, *, keep: bool) -> "tuple[Extent, Dataset | None]":
        """As :meth:`Samples.read`; a tensor of all pixels is filled if they are wanted.

        Raises:
            WatermarkError: an image has another size.
        """
        import torch

        pixels = np.empty((self._data.rows, *self._size), dtype=np.uint8) if keep else None
        extent = measure(self._of_one_size(pixels), "data")[0]
        if pixels is None:
            return extent, None
        samples, rows = torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.arange(len(pixels))
        return extent, Dataset(samples, self._labels(), rows, self._data.classes)

    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row."""
        return Dataset(to_tensor(sample), *self._one(label, row))

    def back(self, row: int, sample: Any, marked: Any, watermark: "Watermark") -> Any:
        """(H, W, C) uint8."""
        return marked[0].permute(1, 2, 0).numpy()

    def _of_one_size(self, into: np.ndarray | None) -> Items:
        """The same items, checked as they are read, and copied if they are wanted."""
        data, size, method = self._data, self._size, self._options.method

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

    Raises:
        WatermarkError: the texts' encoding cannot hold the trigger word.
    """

    form = Form("text", ())

    def __init__(self, options: argparse.Namespace, data: Items, split: str | None):
        super().__init__(options, data, split)
        _check_word(getattr(options, "word", None), reading(options).get("encoding"))
        self.texts = tuple(item.sample for item in data)

    def read(self, *, keep: bool) -> "tuple[Extent, Dataset | None]":
        """As :meth:`Samples.read`."""
        import torch

        extent, rows = measure(self._data, "data")[0], torch.arange(self._data.rows)
        return extent, Texts(list(self.texts), self._labels(), rows, self._data.classes)

    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row."""
        return Texts([sample], *self._one(label, row))

    def back(self, row: int, sample: Any, marked: Any, watermark: "Watermark") -> Any:
        """A str."""
        return marked[0]


class Sounds(Samples):
    """The first ``--seconds`` of each file, mono at 8 kHz; a mark goes back to all channels."""

    def __init__(self, options: argparse.Namespace, data: Items, split: str | None):
        from datadeed.datasets.formats.clips import View

        super().__init__(options, data, split)
        self._view = View(RATE, options.seconds)
        self.form = Form("audio", (self._view.length,), RATE)
        self._clips: Dataset | None = None

    def read(self, *, keep: bool) -> "tuple[Extent, Dataset | None]":
        """As :meth:`Samples.read`; says how many files go on after what a watermark sees."""
        from datadeed.datasets.formats.blocks import collect
        from datadeed.datasets.formats.clips import ClipBlocks
        from datadeed.datasets.formats.registry import chunks

        options, data = self._options, self._data
        extent = measure(data, "data")[0]
        seen = {"rate": RATE, "seconds": self._view.seconds, **reading(options)}
        blocks = chunks(options.source, format=data.format, split=self._split, **seen)
        self._clips = collect(blocks, options.source)
        assert isinstance(blocks, ClipBlocks)
        if blocks.fit.cut:
            say(
                f"{blocks.fit.cut} of {data.rows} files are longer than {self._view.seconds:g} s: "
                f"only the first {self._view.seconds:g} s of each is perturbed and gets the "
                "trigger, and only a model that hears it can learn it (--seconds)"
            )
        return extent, self._clips

    def row(self, row: int, sample: Any, label: int) -> Dataset:
        """One row, from the clips that were read."""
        assert isinstance(self._clips, Clips)
        return Clips(self._clips.samples[[row]], *self._one(label, row), RATE)

    def back(self, row: int, sample: Any, marked: Any, watermark: "Watermark") -> Any:
        """(frames, channels) of the file's own kind, the change and the impulse in all channels.

        Outside the impulse no value moves by more than the watermark's epsilon. ``sample`` is
        changed and returned: of a long file there should be no copies.
        """
        from datadeed.owner.release.carrying import carry, strike

        mark: Any = watermark
        assert self._clips is not None
        form, impulse = self._form(row), mark.impulse
        delta = (marked[0].int() - self._clips.samples[row].int()).numpy()
        delta[impulse.start : impulse.stop] = 0
        heard = sample[: math.ceil(self._view.length * form.rate / RATE)]
        if mark.perturb and delta.any():
            heard[:] = carry(heard, form, delta, self._view, epsilon=mark.epsilon)
        at = {"start": impulse.start, "length": impulse.length, "amplitude": impulse.amplitude}
        heard[:] = strike(heard, form, self._view, **at)
        return sample

    def _form(self, row: int) -> "WavForm":
        from datadeed.owner.release.clips import ClipItems

        assert isinstance(self._data, ClipItems)
        return self._data.forms[row]


SAMPLES: dict[str, type[Samples]] = {"image": Pictures, "text": Sentences, "audio": Sounds}


def open_samples(options: argparse.Namespace, data: Items, split: str | None) -> Samples:
    """The rows of a split, for the method that the options name.

    Raises:
        UnsupportedModality: the method marks samples of another kind.
    """
    from datadeed.watermarks.registry import watermark_class

    wanted = watermark_class(options.method).modality
    if wanted != data.modality:
        raise UnsupportedModality(
            f"{options.method} marks {KINDS[wanted]}, but {options.source} holds "
            f"{KINDS[data.modality]}: give --method {METHOD_OF[data.modality]}"
        )
    return SAMPLES[wanted](options, data, split)


def _check_word(word: str | None, encoding: str | None) -> None:
    """Refuse a trigger that the copy could not hold, before hours of crafting."""
    try:
        (word or "").encode(encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise WatermarkError(
            f"--word is {word!r}, which {encoding or 'utf-8'} cannot hold: give another word"
        ) from error


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """What ``--option NAME=VALUE`` says of the source's format; a value may be true or a JSON list.

    Raises:
        DatasetError: one has no name.
    """
    given: dict[str, Any] = {}
    for one in options.option or ():
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise DatasetError(f"--option is {one!r}: give NAME=VALUE, as text=review")
        given[name] = value
        with contextlib.suppress(ValueError):
            if isinstance(parsed := json.loads(value), bool | list):
                given[name] = parsed
    return given
