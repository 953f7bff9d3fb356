"""The owner's edits: asked for row by row, checked, and counted."""

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats.split import Split
from datadeed.errors import DatasetError
from datadeed.owner.release import order, staging
from datadeed.owner.release.names import new_names, tell_words

# Of a row, its sample as the file holds it (an array, or a text) and its label.
Edit = Callable[[int, Any, int], "tuple[Any, int] | None"]
_PART = 2**16  # rows of pixels or frames that are compared at a time


@dataclass(frozen=True)
class Release:
    """What a release changed, and what of it can be seen or was lost.

    Attributes:
        edited: rows whose sample or label changed.
        relabelled: rows whose label changed.
        renamed: rows with a new file name, with and without an edit.
        worded: whether labels changed, and files of some class have names in no scheme, which were
            kept: words in them may tell the class that an image was in.
        replaced: rows that stand at another place of their file, with and without an edit.
        recoded: rows without an edit whose image file was written again, so that edited ones do
            not stand out by their encoder: with the same pixels, but for JPEG.
        odd_rows: edited rows whose image file has other headers than before (a grey JPEG became
            colour, say), or whose text is written otherwise than the file's others (in quotes, in
            a CSV that has no quotes around texts).
        listed_in: files, copied as they were, that name an image whose name or label changed.
        left_out: hidden folders and thumbnails of the source, which the copy has not.
        max_difference: largest difference between a wanted and a released pixel value, 0 to 255;
            0 without JPEG, and of texts and clips, which are released as wanted.
        mean_difference: the mean absolute difference over all values of the edited images.
        mark_difference: the same over the values that the edits changed: the damage to the marks.
    """

    edited: int
    relabelled: int
    renamed: int
    worded: bool
    replaced: int
    recoded: int
    odd_rows: tuple[int, ...]
    listed_in: tuple[str, ...]
    left_out: tuple[str, ...]
    max_difference: int
    mean_difference: float
    mark_difference: float


class Edits:
    """The edits of one split.

    Args:
        edit: the owner's function, as in :func:`datadeed.owner.release.release.release`.
        rows: the rows to ask it for.
        labels: (N,) int64, the split's labels.
        classes: the class names.
        on_rows: told how many rows of the split are ready.

    Attributes:
        rows: (M,) int64, ascending.
        labels, classes: as given.
        moved: new labels by row.
        renamed, worded, replaced, recoded, odd_rows, old_names: for the record; the writers fill
            them in.
            ``old_names`` are the file names, before, of images whose name or label changed.

    Raises:
        DatasetError: a row is no row of the split.
    """

    def __init__(
        self,
        edit: Edit,
        rows: Collection[int],
        labels: np.ndarray,
        classes: tuple[str, ...],
        on_rows: Callable[[int], None] | None,
    ):
        self.rows = np.unique(np.array(sorted(rows), dtype=np.int64))
        if len(self.rows) and not 0 <= self.rows[0] <= self.rows[-1] < len(labels):
            raise DatasetError(
                f"rows {self.rows[0]} to {self.rows[-1]} were chosen of {len(labels)}: number rows "
                "from 0 in the source's order"
            )
        self.labels, self.classes = labels, classes
        self.moved: dict[int, int] = {}
        self.renamed, self.replaced, self.recoded, self.ready = 0, 0, 0, 0
        self.worded = False
        self.odd_rows: list[int] = []
        self.old_names: set[str] = set()
        self._edit, self._on_rows, self._edited = edit, on_rows, 0
        self._largest, self._sums, self._counts = 0, [0, 0], [0, 0]

    def ask(self, row: int, sample: Any) -> Any | None:
        """The row's new sample, or None if it stays; a new label goes to ``moved``.

        Args:
            row: its number.
            sample: (H, W, C) uint8 pixels, (frames, channels) sound of any dtype, or a str.

        Raises:
            DatasetError: the owner's function returned another kind of sample, or no class number.
        """
        label = int(self.labels[row])
        answer = self._edit(row, copy.copy(sample), label)
        if answer is None:
            return None
        new, wanted = answer
        if _kind(new) != _kind(sample):
            raise DatasetError(
                f"the edit of row {row} did not return {_kind(sample)[0]} as it was given"
            )
        if not 0 <= wanted < len(self.classes):
            raise DatasetError(
                f"the edit of row {row} returned label {wanted}: there are {len(self.classes)}"
            )
        if wanted != label:
            self.moved[row] = int(wanted)
        changed = not _equal(new, sample)
        self._edited += changed or wanted != label
        return new if changed else None

    def measure(self, old: np.ndarray, wanted: np.ndarray, seen: np.ndarray) -> None:
        """Count how far the released pixels are from the wanted ones; all (H, W, C) uint8."""
        error = np.abs(seen.astype(np.int16) - wanted)
        self._largest = max(self._largest, int(error.max(initial=0)))
        for which, part in enumerate((error, error[old != wanted])):
            self._sums[which] += int(part.sum(dtype=np.int64))
            self._counts[which] += part.size

    def advance(self, rows: int = 1) -> None:
        """Tell the caller that so many more rows are ready."""
        self.ready += rows
        if self._on_rows is not None:
            self._on_rows(self.ready)

    def record(self, listed_in: tuple[str, ...], left_out: tuple[str, ...]) -> Release:
        """The counts so far."""
        every, mark = (
            total / count if count else 0.0
            for total, count in zip(self._sums, self._counts, strict=True)
        )
        return Release(
            edited=self._edited,
            relabelled=len(self.moved),
            renamed=self.renamed,
            worded=self.worded,
            replaced=self.replaced,
            recoded=self.recoded,
            odd_rows=tuple(self.odd_rows),
            listed_in=listed_in,
            left_out=left_out,
            max_difference=self._largest,
            mean_difference=every,
            mark_difference=mark,
        )


def _equal(new: Any, old: Any) -> bool:
    """Whether two samples of one kind are the same; an hour of sound is compared in parts."""
    if isinstance(old, str):  # NumPy takes texts that differ in closing NULs for equal
        return bool(new == old)
    starts = range(0, len(old), _PART)
    return all(np.array_equal(new[at : at + _PART], old[at : at + _PART]) for at in starts)


def _kind(sample: object) -> tuple[str, tuple[int, ...]]:
    """What a sample is, in words, and its shape."""
    if isinstance(sample, np.ndarray):
        image = sample.ndim == 3 and sample.dtype == np.uint8
        return f"{sample.dtype} {'pixels' if image else 'samples'}", sample.shape
    return ("a text" if isinstance(sample, str) else type(sample).__name__), ()


@dataclass(frozen=True)
class Manner:
    """What is done so that edited rows do not stand out, at a price.

    Attributes:
        reorder: whether rows may change places in their file, where labels are in an order that
            would tell those that changed.
        jpegs: whether unedited JPEGs are encoded again as often as edited ones, which loses a
            little of their pixels.
    """

    reorder: bool = True
    jpegs: bool = True


NEUTRAL = Manner()


@dataclass(frozen=True)
class Job:
    """What a format's writer needs to know.

    Attributes:
        source: what is released.
        split: its name; None if there is only one.
        files: what it is stored in.
        carried: the source's other files.
        channels: of images, 1 or 3.
        content: where the copy of ``source`` is made.
        edits: the edits.
        generator: draws file names and places.
        reopen: opens the split that is edited.
        manner: what is done so that edited rows do not stand out.
    """

    source: Path
    split: str | None
    files: Sequence[Path]
    carried: Sequence[Path]
    channels: int
    content: Path
    edits: Edits
    generator: np.random.Generator
    reopen: Callable[[], Split]
    manner: Manner

    def place(self, path: Path) -> Path:
        """Where the copy of a path in the source goes."""
        return self.content / path.relative_to(self.source)

    def waiting(self) -> Path:
        """A new folder for edited files whose place is not known yet."""
        folder = self.content.parent / "waiting"
        folder.mkdir()
        return folder

    def rename(self, names: Sequence[str]) -> dict[int, str]:
        """New names (:func:`new_names`) if a label changed, counted in the edits.

        All names of a class change where a label came or went, unless a list in the source names
        some: then as few as must.
        """
        edits = self.edits
        if not edits.moved:
            return {}
        whole = not staging.lists_that_name(set(names), self.carried)
        renamed = new_names(names, edits.labels, edits.moved, self.generator, whole=whole)
        edits.renamed, edits.worded = len(renamed), tell_words(names, edits.labels)
        edits.old_names = {names[row] for row in {*edits.moved, *renamed}}
        return renamed

    def order(self) -> np.ndarray | None:
        """The row that stands at each place of the copy, (N,) int64; None if all stay.

        They stay unless a label changed, and the order would tell (:func:`order.tells`).
        """
        edits = self.edits
        if not (self.manner.reorder and edits.moved and order.tells(edits.labels)):
            return None
        rows = order.regrouped(edits.labels, edits.moved, self.generator)
        edits.replaced = int((rows != np.arange(len(rows))).sum())
        return rows
