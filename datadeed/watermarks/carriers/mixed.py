"""Parts of several kinds, drawn by the key: who reads this code does not know what to look for.

All kinds keep labels and mix marked rows with others. A part's trigger, decoys and marks are those
of its kind with the same key and the same number.
"""

import numpy as np
import torch

from datadeed.keys.generation2 import CARRIERS, Key2
from datadeed.watermarks.carriers.base import Carrier, Hosts, Pool, own_rows
from datadeed.watermarks.carriers.cutout import Cutout
from datadeed.watermarks.carriers.grating import Grating
from datadeed.watermarks.carriers.mosaic import Mosaic

# By name in the design. Parts beyond those that a kind is enough for are of another one.
KINDS: dict[str, type[Carrier]] = {"mosaic": Mosaic, "cutout": Cutout, "grating": Grating}


class Mixed(Carrier):
    """Each part of a kind of its own."""

    def __init__(self, key: Key2, pool: Pool | None = None):
        super().__init__(key, pool)
        self._kinds = [self._kind(part) for part in range(self.design.parts)]
        self._carriers = {name: KINDS[name](key, pool) for name in sorted(set(self._kinds))}

    def _kind(self, part: int) -> str:
        able = [name for name in KINDS if part < CARRIERS[name].parts]
        return able[self.key.integer("mixed kind", part, below=len(able))]

    def _of(self, part: int) -> Carrier:
        return self._carriers[self._kinds[part]]

    def pool_rows(self) -> list[int]:
        """Those of all kinds."""
        return [row for carrier in self._carriers.values() for row in carrier.pool_rows()]

    def trigger(self, samples: torch.Tensor, part: int) -> torch.Tensor:
        """As :meth:`Carrier.trigger`."""
        made: torch.Tensor = self._of(part).trigger(samples, part)
        return made

    def decoy(self, samples: torch.Tensor, part: int, row: int) -> torch.Tensor:
        """Of the part's kind."""
        made: torch.Tensor = self._of(part).decoy(samples, part, row)
        return made

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Rows of the parts' own classes, each with a row of another class."""
        return own_rows(self.key, labels, "mixed", mixed=True)

    def marks(
        self, samples: torch.Tensor, partners: torch.Tensor, parts: np.ndarray, rows: np.ndarray
    ) -> torch.Tensor:
        """As :meth:`Carrier.marks`."""
        kinds, marked = np.array(self._kinds)[parts], torch.empty_like(samples)
        for name, carrier in self._carriers.items():
            here = np.flatnonzero(kinds == name)
            if len(here):
                marked[here] = carrier.marks(samples[here], partners[here], parts[here], rows[here])
        return marked
