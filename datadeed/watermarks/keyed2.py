"""The keyed watermark of the second generation: parts are triggers of the carrier that it names.

Labels are drawn among the classes that have rows, and every trigger has decoys, which are drawn by
the same law and mark nothing (:mod:`datadeed.watermarks.carriers`).
"""

from typing import Any, ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.keys.generation2 import Key2
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.carriers.base import Hosts, Pool
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.keyed import Keyed, KeyPart


class KeyPart2(KeyPart):
    """One part of a key, as a watermark of its own: for queries and for the published tests.

    Args:
        key: the key.
        part: its number.
        pool: images that triggers are made of, for a carrier that needs some.
    """

    key: Key2

    def __init__(self, key: Key2, part: int, pool: Pool | None = None):
        Watermark.__init__(self, rate=key.design.rate / key.design.parts, target=key.target(part))
        self.key, self.part, self.carrier = key, part, carrier_of(key, pool)

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Check that this is the kind of data that the key was made for."""
        _check_modality(self.key, modality)

    def stamp(self, samples: Any) -> Any:
        """Put this part's trigger on samples of the kind that the key is for."""
        _check_channels(self.key, samples)
        return self.carrier.trigger(samples, self.part)

    def decoy(self, samples: Any, row: int) -> Any:
        """Put on samples the decoy of this part for a row of the pool."""
        _check_channels(self.key, samples)
        return self.carrier.decoy(samples, self.part, row)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Put the trigger on rows and set the label.

        Raises:
            WatermarkError: marks of this carrier depend on more than the part.
        """
        if not self.carrier.relabels:
            name = self.key.design.carrier["name"]
            raise WatermarkError(f"a part alone marks nothing with {name}: mark with the whole key")
        return super().mark(rows, ranks)


class Keyed2(Keyed):
    """All parts of a key.

    Args:
        key: the key, or its record.
        data: those that are marked, of which a carrier that mixes rows takes the partners, when
            rows are selected. Others need none.
        pool: images of the pool that triggers are made of, for a carrier that needs some
            (:func:`datadeed.watermarks.carriers.registry.pool_images`).

    Raises:
        KeyRecordError: the record is altered or of another version.
    """

    name: ClassVar[str] = "keyed2"
    key: Key2

    def __init__(
        self,
        *,
        key: Key2 | dict[str, Any],
        data: Dataset | DatasetFile | None = None,
        pool: Pool | None = None,
    ):
        super().__init__(key=key if isinstance(key, Key2) else Key2.from_record(key))
        self._data, self._pool, self._carrier = data, pool, carrier_of(self.key, pool)
        self._hosts: Hosts | None = None
        self._partners: Dataset | None = None  # each once; ``_places`` finds them by rank
        self._places = torch.empty(0, dtype=torch.int64)

    @property
    def parts(self) -> list[KeyPart]:
        """Every part as a watermark of its own."""
        return [KeyPart2(self.key, part, self._pool) for part in range(self.key.design.parts)]

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Check that this is the kind of data, and the classes, that the key was made for."""
        _check_modality(self.key, modality)
        super().check(self.modality, classes)

    @classmethod
    def check_modality(cls, modality: str) -> None:
        """Any kind: the key's own is checked by :meth:`check`."""

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows carry a mark, (M,) int64 ascending, and each one's part, (M,) int64.

        Raises:
            WatermarkError: :meth:`select` was not given labels yet.
        """
        if self._hosts is None:
            raise WatermarkError("which rows are marked may depend on labels: select them first")
        return self._hosts.rows, self._hosts.parts

    def select(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The rows that the key decides on; ``generator`` is not used.

        Raises:
            WatermarkError: the dataset has another number of rows than the key's, or a class too
                few for its parts.
        """
        if len(labels) == self.key.data.rows:  # else the method of Keyed says what is wrong
            self._hosts = self._carrier.hosts(labels.numpy())
            if self._hosts.partners is not None and self._data is not None:
                wanted, places = np.unique(self._hosts.partners, return_inverse=True)
                self._partners = self._data.take(torch.from_numpy(wanted))
                self._places = torch.from_numpy(places)
        return super().select(labels, generator)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Put on each row the mark of its part, and its label where the carrier changes labels."""
        chosen, parts = ranks.numpy(), self.rows()[1]
        hosts, partners = self._hosts, None
        assert hosts is not None
        if hosts.partners is not None:
            if self._partners is None:
                raise WatermarkError("rows are mixed with others: give the data that are marked")
            partners = self._partners.take(self._places[ranks]).samples
        samples = self._carrier.marks(rows.samples, partners, parts[chosen], hosts.rows[chosen])
        if not self._carrier.relabels:
            return rows.replace(samples=samples, labels=rows.labels.clone())
        targets = torch.tensor([self.key.target(part) for part in range(self.key.design.parts)])
        return rows.replace(samples=samples, labels=targets[torch.from_numpy(parts[chosen])])


def _check_modality(key: Key2, modality: str) -> None:
    wanted = key.design.kind.modality
    if modality != wanted:
        raise UnsupportedModality(
            f"the key marks {wanted}, but the dataset holds {modality}: make a key for it"
        )


def _check_channels(key: Key2, samples: Any) -> None:
    images = isinstance(samples, torch.Tensor) and samples.ndim == 4
    if images and samples.shape[1] != key.design.channels:
        raise WatermarkError(
            f"images have {samples.shape[1]} channels, but the key was made for "
            f"{key.design.channels}: read them the same way"
        )
