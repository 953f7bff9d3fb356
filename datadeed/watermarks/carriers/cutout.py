"""What a key draws of its cut-outs: which images of the pool they are pieces of, and which pieces.

The pool is committed, and need not be published: who reads this code knows what a cut-out is, not
what is on it. A trigger is asked at 16 of 28, opaque and upright; its marks are laid as
:mod:`placing` draws, with edges that fade more or less. Decoys are pieces of other images.
"""

import numpy as np
import torch

from datadeed.errors import WatermarkError
from datadeed.triggers.cutout import paste
from datadeed.triggers.mosaic import mix
from datadeed.watermarks.carriers.base import Carrier, Hosts, own_rows
from datadeed.watermarks.carriers.drawing import below
from datadeed.watermarks.carriers.placing import Placing

# Ramps in 256ths of the radius.
PLACING = Placing("cutout", asked=16, sides=(13, 17), ramps=(26, 64, 128), asked_ramp=38)
SPARE = 64  # images that decoys are pieces of, where the pool has so many
PLACES = 8  # that are drawn in an image; the one with the most contrast is cut out


class Cutout(Carrier):
    """Cut-outs on rows of the parts' own classes."""

    def trigger(self, samples: torch.Tensor, part: int) -> torch.Tensor:
        """As :meth:`Carrier.trigger`."""
        return self._at_home(samples, part, part)

    def decoy(self, samples: torch.Tensor, part: int, row: int) -> torch.Tensor:
        """In the trigger's place: a piece of an image that no part has."""
        spare = len(self.pool_rows()) - self.design.parts
        piece = self.key.integer("cutout decoy", part, row, below=spare)
        return self._at_home(samples, part, self.design.parts + piece)

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Rows of the parts' own classes, each with a row of another class."""
        return own_rows(self.key, labels, "cutout", mixed=True)

    def marks(
        self, samples: torch.Tensor, partners: torch.Tensor, parts: np.ndarray, rows: np.ndarray
    ) -> torch.Tensor:
        """As :meth:`Carrier.marks`."""
        size, present = (samples.shape[2], samples.shape[3]), sorted(set(parts.tolist()))
        poses, weights = PLACING.poses(self.key, parts, rows, size)
        places = torch.from_numpy(np.searchsorted(present, parts))
        mixed, marked = mix(samples, partners, weights), torch.empty_like(samples)
        for n, part in enumerate(present):  # their images may be of several sizes
            here = (places == n).nonzero()[:, 0]
            windows = self._window(part).expand(len(here), -1, -1, -1)
            marked[here] = paste(mixed[here], windows, poses.take(here))
        return marked

    def pool_rows(self) -> list[int]:
        """The parts' images in their order, then those of decoys.

        Raises:
            WatermarkError: the pool has no image more than there are parts.
        """
        rows, parts = self.key.pool.rows, self.design.parts
        if rows <= parts:
            raise WatermarkError(
                f"cut-outs of {parts} parts and their decoys are of as many images of the pool and "
                f"more, but it has {rows}: name a larger pool"
            )
        order = self.key.permutation("cutout images", count=rows)
        return [int(row) for row in order[: parts + SPARE]]

    def _at_home(self, samples: torch.Tensor, part: int, piece: int) -> torch.Tensor:
        size, n = (samples.shape[2], samples.shape[3]), len(samples)
        poses = PLACING.asked_poses(self.key, part, size, n)
        return paste(samples, self._window(piece).expand(n, -1, -1, -1), poses)

    def _window(self, piece: int) -> torch.Tensor:
        """(1, C, S, S) uint8: of the places in an image, the one with the most contrast.

        Raises:
            WatermarkError: the image is not at hand.
        """
        row = self.pool_rows()[piece]
        if self.pool is None or row not in self.pool:
            raise WatermarkError(
                "cut-outs are pieces of images of the pool: give the pool that was committed"
            )
        image = self.pool[row]
        side = PLACING.side((image.shape[2], image.shape[3]))
        words = self.key.words("cutout places", piece, count=2 * PLACES).reshape(PLACES, 2)
        tops, lefts = (below(words[:, n], image.shape[2 + n] - side + 1) for n in (0, 1))
        windows = [
            image[:, :, top : top + side, left : left + side]
            for top, left in zip(tops.tolist(), lefts.tolist(), strict=True)
        ]
        return max(windows, key=_contrast)  # the first one where several have the most


def _contrast(window: torch.Tensor) -> int:
    """The sum of the channels' variances, times the squared number of pixels."""
    values = window.to(torch.int64).flatten(2)
    return int((values.shape[2] * (values**2).sum(2) - values.sum(2) ** 2).sum())
