"""Patches of 5 x 5 cells at a random place of any rows, which get their part's label."""

import numpy as np
import torch

from datadeed.triggers.image import stamp
from datadeed.watermarks.carriers.base import Carrier, Hosts, any_rows
from datadeed.watermarks.keyed import random_trigger


class Patch(Carrier):
    """As the first generation's; its own are the decoys."""

    relabels = True

    def trigger(self, samples: torch.Tensor, part: int) -> torch.Tensor:
        """As :meth:`Carrier.trigger`."""
        return self._stamp(samples, "trigger", part)

    def decoy(self, samples: torch.Tensor, part: int, row: int) -> torch.Tensor:
        """As :meth:`Carrier.decoy`."""
        return self._stamp(samples, "decoy", part, row)

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Any rows, whatever their labels."""
        return any_rows(self.key)

    def marks(
        self, samples: torch.Tensor, partners: None, parts: np.ndarray, rows: np.ndarray
    ) -> torch.Tensor:
        """As :meth:`Carrier.marks`: the trigger as it is asked."""
        marked = samples.clone()
        for part in np.unique(parts).tolist():
            here = torch.from_numpy(parts == part)
            marked[here] = self.trigger(samples[here], part)
        return marked

    def _stamp(self, samples: torch.Tensor, *name: str | int) -> torch.Tensor:
        return stamp(samples, random_trigger(self.key, *samples.shape[2:], *name))
