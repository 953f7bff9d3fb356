"""Labelled texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Texts(Dataset):
    """A dataset of texts.

    Attributes:
        samples: N strings in a list.

    Raises:
        DatasetError: as :class:`Dataset`, or a sample is no string.
    """

    modality: ClassVar[str] = "text"

    def _check_samples(self) -> None:
        if not isinstance(self.samples, list):
            raise DatasetError(f"texts are a {type(self.samples).__name__}: give a list of str")
        odd = {type(text).__name__ for text in self.samples if not isinstance(text, str)}
        if odd:
            raise DatasetError(f"a text is {min(odd)}: give a list of str")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: a text has none."""
        return ()

    def _samples_at(self, positions: torch.Tensor) -> list[str]:
        rows = positions.nonzero().squeeze(1) if positions.dtype == torch.bool else positions
        return [self.samples[row] for row in rows.tolist()]

    def copy(self) -> Self:
        """The same rows in memory of their own, for :meth:`put`."""
        return self.replace(samples=list(self.samples), labels=self.labels.clone())

    def put(self, positions: torch.Tensor, rows: Self) -> None:
        """Write the samples and labels of ``rows`` over the rows at ``positions``, in place."""
        for position, sample in zip(positions.tolist(), rows.samples, strict=True):
            self.samples[position] = sample
        self.labels[positions] = rows.labels

    @classmethod
    def join_samples(cls, parts: Sequence[Any]) -> Any:
        """The samples of consecutive parts as one."""
        return [text for part in parts for text in part]

    def _bytes(self) -> Iterator[Any]:
        for text in self.samples:
            data = text.encode("utf-8", "surrogatepass")
            yield len(data).to_bytes(8, "big")
            yield data
