"""One split of a source: its labels, its names, and a stream of its samples."""

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch

from datadeed.datasets.form.dataset import check_labels
from datadeed.errors import DatasetError

if TYPE_CHECKING:
    from datadeed.datasets.formats.npz_images import DiskImages


class Columns(NamedTuple):
    """The columns of a table that are read.

    Attributes:
        sample: one; or several of a text, which are joined by line breaks.
        label: the label's.
    """

    sample: tuple[str, ...]
    label: str


# A row's name for messages, its sample as it is stored, its label and its index.
Row = tuple[str, Any, int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """The labelled rows of one split, in the source's order; samples are read when asked for.

    Attributes:
        modality: "image", "audio" or "text".
        where: the source, for messages.
        classes: the class names, in label order.
        labels: (N,) int64.
        index: (N,) int64, the rows' stable numbers. Of texts the rows' numbers among all, those
            without a text included.
        stream: gives each row's name for messages, and its sample as it is stored: the bytes or the
            path of an image's or a WAV file, (H, W, C) uint8 pixels, or a text.
        files: what the split is stored in: the samples' own files, shards or tables, in order.
        names: the samples' file names, if they have some; "" for one without.
        pixels: (N, H, W, C) uint8, of formats that hold images as one array, in memory or on disk.
        folders: the folder of each class, of formats that have such.
        columns: of Parquet.
        tables: one for each file, of text files.
        scratch: what the files were unpacked to; None if nothing was.
        beside: of folders of classes, how many other files lie in them, by suffix; of these and of
            Parquet, how many samples are left out as damaged.
        places: of Parquet of which damaged rows are left out, (N,) int64, each row's place among
            all; else None.
        instead: what else may be done about damaged files, at the end of a line.

    Raises:
        DatasetError: there are no rows or fewer than two classes, or a label is no class.
    """

    modality: str
    where: object
    classes: tuple[str, ...]
    labels: np.ndarray
    index: np.ndarray
    stream: Callable[[], Iterator[tuple[str, Any]]]
    files: Sequence[Path]
    names: Sequence[str] = ()
    pixels: "np.ndarray | DiskImages | None" = None
    folders: Sequence[Path] = ()
    columns: Columns | None = None
    tables: Sequence[Any] = ()
    scratch: "Scratch | None" = None
    beside: Mapping[str, int] = dataclasses.field(default_factory=dict)
    places: np.ndarray | None = None
    instead: str = ""

    def __post_init__(self) -> None:
        check_labels(torch.from_numpy(self.labels), self.classes, str(self.where))

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self) -> Iterator[Row]:
        """All rows, in order."""
        numbers = zip(self.labels.tolist(), self.index.tolist(), strict=True)
        for (name, stored), (label, index) in zip(self.stream(), numbers, strict=True):
            yield name, stored, label, index

    def take(self, rows: np.ndarray) -> Self:
        """Some rows ((M,) int64, ascending); a split of files, without pixels or tables."""
        wanted = set(rows.tolist())

        def stream() -> Iterator[tuple[str, Any]]:
            return (one for row, one in enumerate(self.stream()) if row in wanted)

        return dataclasses.replace(
            self, labels=self.labels[rows], index=self.index[rows], stream=stream
        )


def array_split(
    where: Path,
    pixels: "np.ndarray | DiskImages",
    labels: np.ndarray,
    *,
    classes: tuple[str, ...],
    files: Sequence[Path],
    index: np.ndarray | None = None,
) -> Split:
    """A split of images that are one array; rows are numbered without index.

    Args:
        where: the source, for messages.
        pixels: (N, H, W, C) uint8.
        labels: (N,) of the integers that the source stores, or int64.
        classes, files, index: as of :class:`Split`.

    Raises:
        DatasetError: images have no pixels, or a class's number does not fit the labels' dtype (a
            marked row could not get it); or as :class:`Split`.
    """
    if 0 in pixels.shape[1:]:
        raise DatasetError(f"{where} has images without pixels ({pixels.shape}): fetch it again")
    if len(classes) - 1 > np.iinfo(labels.dtype).max:
        raise DatasetError(
            f"{where} has labels of {labels.dtype}, which cannot hold {len(classes) - 1}: store "
            "wider ones"
        )

    def stream() -> Iterator[tuple[str, np.ndarray]]:
        return ((f"{where} row {row}", np.array(one)) for row, one in enumerate(pixels))

    return Split(
        modality="image",
        where=where,
        classes=classes,
        labels=labels.astype(np.int64),
        index=np.arange(len(labels)) if index is None else index.astype(np.int64),
        stream=stream,
        files=files,
        pixels=pixels,
    )


class Scratch:
    """A temporary folder that goes when this object does."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="datadeed-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
