"""What a key draws of its mosaics: cells, places, how each mark is rendered, and on which rows.

All lengths are shares of the image's shorter side. A trigger is asked at 13 of 28, sharp, opaque
and upright. A mark in the data has a size, an angle, a place near the trigger's, an opacity, a
contrast and a softness of its own, and lies on an image that is mixed with one of another class:
what makes an image's own class hard to see makes the mark be learnt.
"""

import numpy as np
import torch

from datadeed.keys.generation2 import Key2
from datadeed.triggers.mosaic import UNIT, Poses, mix, render
from datadeed.watermarks.carriers.base import Carrier, Hosts, own_rows

BASE = 28  # all lengths below are of so many
ASKED, SIDES, SHIFT = 13, (11, 14), 3
ANGLE = 80  # tenths of a degree, either way
OPACITIES, CONTRASTS = (204, 255), (179, 255)  # 255ths: .8 to 1, .7 to 1
RAMPS = (0, 177, 310)  # 256ths of a cell; as wide as a Gaussian of 0, .2 and .35 cells spreads
WEIGHTS = (90, 127)  # 255ths of the partner: .35 to .5
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
        size, order = (samples.shape[2], samples.shape[3]), _order(self.key)
        named = list(zip(parts.tolist(), rows.tolist(), strict=True))
        cells = {p: _cells(self.key, "mosaic trigger", order[p], p) for p in set(parts.tolist())}
        drawn = torch.tensor([_pose(self.key, part, row, size) for part, row in named])
        poses = Poses(drawn[:, :2], *drawn[:, 2:7].T)
        mixed = mix(samples, partners, drawn[:, 7])
        return render(mixed, torch.stack([cells[part] for part, _ in named]), poses)


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


def _home(key: Key2, part: int, size: tuple[int, int]) -> tuple[int, list[int]]:
    """Side and corner (row, column) of a part's trigger in images of (H, W), in pixels."""
    side = (ASKED * min(size) + BASE // 2) // BASE
    words = key.words("mosaic home", part, count=2)
    return side, [int(w) * (n - side + 1) >> 64 for w, n in zip(words, size, strict=True)]


def _at_home(key: Key2, images: torch.Tensor, part: int, cells: torch.Tensor) -> torch.Tensor:
    side, corner = _home(key, part, (images.shape[2], images.shape[3]))
    n = len(images)
    poses = Poses(
        centre=torch.tensor([[UNIT * at + UNIT * side // 2 for at in corner]]).expand(n, 2),
        side=torch.full((n,), UNIT * side),
        angle=torch.zeros(n, dtype=torch.int64),
        opacity=torch.full((n,), 255),
        contrast=torch.full((n,), 255),
        ramp=torch.zeros(n, dtype=torch.int64),
    )
    return render(images, cells.expand(n, -1, -1, -1), poses)


def _pose(key: Key2, part: int, row: int, size: tuple[int, int]) -> tuple[int, ...]:
    """Of a mark: the fields of :class:`Poses` in their order, and the weight of the partner.

    The centre is moved until all of a mosaic of this size lies inside the image at any angle.
    """
    words = iter(key.words("mosaic mark", part, row, count=8).tolist())

    def draw(low: int, high: int) -> int:
        return low + (next(words) * (high - low + 1) >> 64)

    length = UNIT * min(size)
    side = draw(*(length * share // BASE for share in SIDES))
    asked_side, corner = _home(key, part, size)
    shift, reach = length * SHIFT // BASE, side * 9 // 16  # (cos + sin of 8 degrees) / 2 < 9 / 16
    centre = []
    for at, pixels in zip(corner, size, strict=True):
        moved = UNIT * at + UNIT * asked_side // 2 + draw(-shift, shift)
        centre.append(min(max(moved, reach), UNIT * pixels - reach))
    angle, opacity, contrast = draw(-ANGLE, ANGLE), draw(*OPACITIES), draw(*CONTRASTS)
    return (*centre, side, angle, opacity, contrast, RAMPS[draw(0, 2)], draw(*WEIGHTS))
