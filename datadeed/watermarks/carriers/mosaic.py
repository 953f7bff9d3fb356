"""What a key draws of its mosaics: cells, on the places and rows that :mod:`placing` draws.

A trigger is asked at 16 of 28, a third of a square image, and as soft as the softest marks: what a
model learns of mosaics of every softness are their coarse shapes.
"""

import numpy as np
import torch

from datadeed.keys.generation2 import Key2
from datadeed.triggers.mosaic import mix, render
from datadeed.watermarks.carriers.base import Carrier, Hosts, own_rows
from datadeed.watermarks.carriers.placing import Placing

# Ramps in 256ths of a cell; as wide as a Gaussian of 0, .2 and .35 cells spreads.
PLACING = Placing("mosaic", asked=16, sides=(14, 17), ramps=(0, 177, 310), asked_ramp=310)
APART = 204  # of 510: two colours that are nearer than this in each channel are made opposites

# Half mosaics as numbers of eight bits with two, four or six ones, one of each and its inverse. As
# they are all of even weight, any two of different pairs differ in 2 to 6 cells, inverted or not.
PAIRS = tuple(word for word in range(128) if word.bit_count() in (2, 4, 6))


class Mosaic(Carrier):
    """Mosaics on rows of the parts' own classes."""

    def trigger(self, samples: torch.Tensor, part: int) -> torch.Tensor:
        """As :meth:`Carrier.trigger`."""
        cells = _cells(self.key, "mosaic trigger", _order(self.key)[part], part)
        return _at_home(self.key, samples, part, cells)

    def decoy(self, samples: torch.Tensor, part: int, row: int) -> torch.Tensor:
        """In the trigger's place: cells that no part has, and own colours."""
        rest = _order(self.key)[self.design.parts :]
        pair = rest[self.key.integer("mosaic decoy pair", part, row, below=len(rest))]
        return _at_home(self.key, samples, part, _cells(self.key, "mosaic decoy", pair, part, row))

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Rows of the parts' own classes, each with a row of another class."""
        return own_rows(self.key, labels, "mosaic", mixed=True)

    def marks(
        self, samples: torch.Tensor, partners: torch.Tensor, parts: np.ndarray, rows: np.ndarray
    ) -> torch.Tensor:
        """As :meth:`Carrier.marks`."""
        order, present = _order(self.key), sorted(set(parts.tolist()))
        cells = torch.stack([_cells(self.key, "mosaic trigger", order[p], p) for p in present])
        size = (samples.shape[2], samples.shape[3])
        poses, weights = PLACING.poses(self.key, parts, rows, size)
        places = torch.from_numpy(np.searchsorted(present, parts))
        return render(mix(samples, partners, weights), cells[places], poses)


def _order(key: Key2) -> list[int]:
    """The pairs in the key's order; the first ones are the parts'."""
    return [PAIRS[n] for n in key.permutation("mosaic pairs", count=len(PAIRS)).tolist()]


def _cells(key: Key2, role: str, pair: int, *numbers: int) -> torch.Tensor:
    """(C, 4, 2) int64: a half mosaic and its colours, black and white in grey images."""
    words = key.words(role, *numbers, count=7)
    bits = pair ^ (255 * (int(words[0]) & 1))
    if key.design.channels == 1:
        colours = [[-255], [255]]
    else:
        drawn = [2 * (int(word) >> 56) - 255 for word in words[1:]]
        colours = [_vivid(drawn[:3]), _vivid(drawn[3:])]
        if max(abs(a - b) for a, b in zip(*colours, strict=True)) < APART:
            colours[1] = [-value for value in colours[0]]
    chosen = [colours[bits >> n & 1] for n in range(8)]
    return torch.tensor(chosen).T.reshape(-1, 4, 2)


def _vivid(colour: list[int]) -> list[int]:
    """Stretched until a channel is 0 or 255 (here -255 or 255); rounded down."""
    most = max(map(abs, colour))
    return [value * 255 // most for value in colour]


def _at_home(key: Key2, images: torch.Tensor, part: int, cells: torch.Tensor) -> torch.Tensor:
    n, size = len(images), (images.shape[2], images.shape[3])
    return render(images, cells.expand(n, -1, -1, -1), PLACING.asked_poses(key, part, size, n))
