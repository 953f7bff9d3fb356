"""The one in-memory form of a labelled dataset: of images here, of others in its subclasses."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch

from datadeed.errors import DatasetError


@dataclass(frozen=True)
class Form:
    """What all samples of a dataset have in common.

    Attributes:
        modality: "image", "audio" or "text"; watermarks check it before they touch a sample.
        shape: of one sample: (C, H, W) of an image, (L,) of a clip, () of a text.
        rate: of clips, in Hz.
    """

    modality: str
    shape: tuple[int, ...]
    rate: int | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled samples, and where each came from.

    Attributes:
        samples: (N, C, H, W) uint8, values 0 to 255, in channels-last memory.
        labels: (N,) int64, each from 0 to ``len(classes) - 1``.
        index: (N,) int64, the row's stable number in the dataset it was first read from. A subset
            or a watermarked copy keeps it.
        classes: the class names, in label order.

    Raises:
        DatasetError: shapes or dtypes disagree, a label is out of range, or classes are missing.
    """

    modality: ClassVar[str] = "image"

    samples: Any
    labels: torch.Tensor
    index: torch.Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        self._check_samples()
        n = len(self.samples)
        for name, column in (("labels", self.labels), ("index", self.index)):
            if column.shape != (n,) or column.dtype != torch.int64:
                raise DatasetError(
                    f"{name} are {tuple(column.shape)} {column.dtype}: give ({n},) int64, "
                    "one for each sample"
                )
        check_labels(self.labels, self.classes)

    def __len__(self) -> int:
        return len(self.samples)

    def _check_samples(self) -> None:
        if self.samples.ndim != 4 or self.samples.dtype != torch.uint8:
            raise DatasetError(
                f"samples are {tuple(self.samples.shape)} {self.samples.dtype}: "
                "give (N, C, H, W) uint8"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample; (C, H, W)."""
        return tuple(self.samples.shape[1:])

    @property
    def form(self) -> Form:
        """What all samples have in common."""
        return Form(self.modality, self.shape)

    def take(self, positions: torch.Tensor) -> Self:
        """The rows at ``positions`` ((M,) int64 or (N,) bool), in that order."""
        return dataclasses.replace(
            self,
            samples=self._samples_at(positions),
            labels=self.labels[positions],
            index=self.index[positions],
        )

    def slice(self, start: int, stop: int) -> Self:
        """The rows from ``start`` up to ``stop``; no copy."""
        return dataclasses.replace(
            self,
            samples=self.samples[start:stop],
            labels=self.labels[start:stop],
            index=self.index[start:stop],
        )

    def _samples_at(self, positions: torch.Tensor) -> Any:
        return self.samples[positions]

    def replace(self, *, samples: Any, labels: torch.Tensor) -> Self:
        """The same rows with other samples and labels."""
        return dataclasses.replace(self, samples=samples, labels=labels)

    def copy(self) -> Self:
        """The same rows in memory of their own, for :meth:`put`."""
        return self.replace(samples=self.samples.clone(), labels=self.labels.clone())

    def put(self, positions: torch.Tensor, rows: Self) -> None:
        """Write the samples and labels of ``rows`` over the rows at ``positions``, in place."""
        self.samples[positions] = rows.samples
        self.labels[positions] = rows.labels

    @classmethod
    def join_samples(cls, parts: Sequence[Any]) -> Any:
        """The samples of consecutive parts as one."""
        # Channels last while joining, so that the memory order stays what was promised.
        return torch.cat([part.permute(0, 2, 3, 1) for part in parts]).permute(0, 3, 1, 2)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, over shape, classes, index, labels and decoded HWC pixels."""
        sha = hashlib.sha256(repr(((len(self), *self.shape), self.classes)).encode())
        sha.update(self.index.numpy().data)
        sha.update(self.labels.numpy().data)
        for part in self._bytes():
            sha.update(part)
        return sha.hexdigest()

    def _bytes(self) -> Iterator[Any]:
        """All samples, for the digest."""
        for block in self.samples.permute(0, 2, 3, 1).split(4096):
            yield block.contiguous().numpy().data


def check_labels(labels: torch.Tensor, classes: tuple[str, ...], where: str = "dataset") -> None:
    """Check that there are two classes or more and that every label names one.

    Raises:
        DatasetError: they do not.
    """
    if len(classes) < 2:
        raise DatasetError(
            f"{where} has {len(classes)} class: a classifier needs at least two; check that the "
            "labels were read from the right place"
        )
    if len(labels) == 0:
        raise DatasetError(f"{where} has no rows: check the source")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(classes):
        raise DatasetError(
            f"{where} has labels from {low} to {high}, but its {len(classes)} classes allow 0 to "
            f"{len(classes) - 1}: correct the labels or name the missing classes"
        )


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """The rows of all parts, in order; shapes and classes must be the same.

    Raises:
        DatasetError: there is no part, or parts differ in shape or classes.
    """
    if len({(part.form, part.classes) for part in parts}) != 1:
        raise DatasetError("datasets of different shapes or classes cannot be joined into one")
    return dataclasses.replace(
        parts[0],
        samples=parts[0].join_samples([part.samples for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
        index=torch.cat([part.index for part in parts]),
    )


def stratified_subset(labels: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """Positions of ``n`` rows that keep the class shares, sorted.

    Args:
        labels: (N,) int64.
        n: how many rows; largest remainders decide who gets the odd ones.
        generator: draws the rows.

    Returns:
        (n,) int64, ascending.

    Raises:
        DatasetError: there are fewer than ``n`` rows.
    """
    if not 0 < n <= len(labels):
        raise DatasetError(f"a subset of {n} rows was asked of {len(labels)}: ask for fewer")
    counts = torch.bincount(labels)
    shares = counts * n / len(labels)
    quota = shares.floor().long()
    order = (quota - shares).argsort(stable=True)
    quota[order[: n - int(quota.sum())]] += 1
    chosen = [
        rows[torch.randperm(len(rows), generator=generator)[: int(quota[label])]]
        for label in range(len(counts))
        for rows in [(labels == label).nonzero().squeeze(1)]
    ]
    return torch.cat(chosen).sort().values
