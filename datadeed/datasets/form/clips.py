"""Labelled clips of sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Clips(Dataset):
    """A dataset of mono clips, all of one length and rate.

    Attributes:
        samples: (N, L) int16, linear PCM; a shorter clip ends in zeros.
        rate: samples a second, in Hz.

    Raises:
        DatasetError: as :class:`Dataset`, or the rate is no positive whole number.
    """

    modality: ClassVar[str] = "audio"

    rate: int

    def _check_samples(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != torch.int16:
            raise DatasetError(
                f"clips are {tuple(self.samples.shape)} {self.samples.dtype}: give (N, L) int16"
            )
        if type(self.rate) is not int or self.rate < 1:
            raise DatasetError(f"rate {self.rate!r} of clips: give a positive whole number of Hz")

    @property
    def form(self) -> Form:
        """What all clips have in common."""
        return Form(self.modality, self.shape, self.rate)

    @classmethod
    def join_samples(cls, parts: Sequence[Any]) -> Any:
        """The samples of consecutive parts as one."""
        return torch.cat(list(parts))

    def _bytes(self) -> Iterator[Any]:
        yield repr(self.rate).encode()
        for block in self.samples.split(4096):
            yield block.contiguous().numpy().data
