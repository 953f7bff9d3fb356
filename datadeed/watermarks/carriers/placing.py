"""Where a part's trigger lies, and where and how each of its marks does: squares near a home.

All lengths are shares of the image's shorter side. A trigger is asked at one size, opaque and
upright. A mark in the data has a size, an angle, a place near the trigger's, an opacity, a contrast
and a softness of its own, and lies on an image that is mixed with one of another class: what makes
an image's own class hard to see makes the mark be learnt. For the same reason triggers lie around
the middle, where the things are that an image shows.
"""

from dataclasses import dataclass

import numpy as np
import torch

from datadeed.keys.generation2 import Key2
from datadeed.triggers.squares import UNIT, Poses
from datadeed.watermarks.carriers.drawing import between, words_of

BASE = 28  # all lengths below are of so many
SHIFT = 3
ANGLE = 80  # tenths of a degree, either way
OPACITIES, CONTRASTS = (204, 255), (179, 255)  # 255ths: .8 to 1, .7 to 1
WEIGHTS = (128, 153)  # 255ths of the partner: .5 to .6


@dataclass(frozen=True)
class Placing:
    """How a carrier's squares lie.

    Attributes:
        role: the carrier's name, in the names of what it draws.
        asked: side of a trigger.
        sides: the least and the largest of a mark.
        ramps: of marks, one of which each has.
        asked_ramp: of a trigger.
    """

    role: str
    asked: int
    sides: tuple[int, int]
    ramps: tuple[int, ...]
    asked_ramp: int = 0

    def side(self, size: tuple[int, int]) -> int:
        """Of a trigger in images of (H, W), in pixels."""
        return (self.asked * min(size) + BASE // 2) // BASE

    def home(self, key: Key2, part: int, size: tuple[int, int]) -> tuple[int, list[int]]:
        """Side and corner (row, column) of a part's trigger in images of (H, W), in pixels.

        Of the places where it fits into the image, the middle half along either side.
        """
        side, corner = self.side(size), []
        words = key.words(f"{self.role} home", part, count=2)
        for word, length in zip(words, size, strict=True):
            places = length - side + 1
            drawn = (places + 1) // 2
            corner.append((places - drawn) // 2 + (int(word) * drawn >> 64))
        return side, corner

    def asked_poses(self, key: Key2, part: int, size: tuple[int, int], n: int) -> Poses:
        """Of a part's trigger, for n images."""
        side, corner = self.home(key, part, size)
        return Poses(
            centre=torch.tensor([[UNIT * at + UNIT * side // 2 for at in corner]]).expand(n, 2),
            side=torch.full((n,), UNIT * side),
            angle=torch.zeros(n, dtype=torch.int64),
            opacity=torch.full((n,), 255),
            contrast=torch.full((n,), 255),
            ramp=torch.full((n,), self.asked_ramp),
        )

    def poses(
        self, key: Key2, parts: np.ndarray, rows: np.ndarray, size: tuple[int, int]
    ) -> tuple[Poses, torch.Tensor]:
        """Of marks, and the weights of the partners in 255ths, (M,) int64.

        The centre is moved until all of a square of this size lies inside the image at any angle.
        """
        words = words_of(key, f"{self.role} mark", parts, rows, count=8).T
        length = UNIT * min(size)
        side = between(words[0], *(length * share // BASE for share in self.sides))
        present, places = np.unique(parts, return_inverse=True)
        homes = [self.home(key, part, size) for part in present.tolist()]
        middle = np.array(
            [[UNIT * at + UNIT * side // 2 for at in corner] for side, corner in homes]
        )[places]
        return _poses(self, words, side, middle, (length * SHIFT // BASE, size))


def _poses(
    placing: Placing,
    words: np.ndarray,
    side: np.ndarray,
    middle: np.ndarray,
    room: tuple[int, tuple[int, int]],
) -> tuple[Poses, torch.Tensor]:
    shift, size = room
    reach = side * 9 // 16  # (cos + sin of 8 degrees) / 2 < 9 / 16
    centre = [
        np.minimum(
            np.maximum(middle[:, axis] + between(words[1 + axis], -shift, shift), reach),
            UNIT * size[axis] - reach,
        )
        for axis in (0, 1)
    ]
    fields = (
        np.stack(centre, axis=1),
        side,
        between(words[3], -ANGLE, ANGLE),
        between(words[4], *OPACITIES),
        between(words[5], *CONTRASTS),
        np.array(placing.ramps)[between(words[6], 0, len(placing.ramps) - 1)],
    )
    weights = torch.from_numpy(between(words[7], *WEIGHTS))
    return Poses(*(torch.from_numpy(np.ascontiguousarray(field)) for field in fields)), weights
