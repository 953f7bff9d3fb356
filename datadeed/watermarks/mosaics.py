"""What a key draws of its mosaics: cells, places, how each mark is rendered, and on which rows.

All lengths are shares of the image's shorter side. A trigger is asked at 13 of 28, sharp, opaque
and upright. A mark in the data has a size, an angle, a place near the trigger's, an opacity, a
contrast and a softness of its own, and lies on an image that is mixed with one of another class:
what makes an image's own class hard to see makes the mark be learnt.
"""

from dataclasses import dataclass

import numpy as np
import torch

from datadeed.errors import WatermarkError
from datadeed.keys.generation2 import Key2
from datadeed.triggers.mosaic import UNIT, Poses, mix, render

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


def asked(key: Key2, images: torch.Tensor, part: int) -> torch.Tensor:
    """(N, C, H, W) uint8 images with a part's trigger, as suspects are asked."""
    cells = _cells(key, "mosaic trigger", _order(key)[part], part)
    return _at_home(key, images, part, cells)


def decoy(key: Key2, images: torch.Tensor, part: int, row: int) -> torch.Tensor:
    """The same with a decoy in the trigger's place: cells that no part has, and own colours."""
    rest = _order(key)[key.design.parts :]
    pair = rest[key.integer("mosaic decoy pair", part, row, below=len(rest))]
    return _at_home(key, images, part, _cells(key, "mosaic decoy", pair, part, row))


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


def marks(
    key: Key2,
    images: torch.Tensor,
    partners: torch.Tensor,
    parts: torch.Tensor,
    rows: torch.Tensor,
) -> torch.Tensor:
    """What rows of the data become: each is decided by the key, its part and its number.

    Args:
        key: with mosaics.
        images, partners: (N, C, H, W) uint8, N of them; not changed.
        parts, rows: (N,) int64, parts and numbers of the rows in the data.

    Returns:
        (N, C, H, W) uint8.
    """
    size, order = (images.shape[2], images.shape[3]), _order(key)
    named = list(zip(parts.tolist(), rows.tolist(), strict=True))
    cells = {part: _cells(key, "mosaic trigger", order[part], part) for part, _ in named}
    drawn = torch.tensor([_pose(key, part, row, size) for part, row in named])
    poses = Poses(drawn[:, :2], *drawn[:, 2:7].T)
    mixed = mix(images, partners, drawn[:, 7])
    return render(mixed, torch.stack([cells[part] for part, _ in named]), poses)


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


@dataclass(frozen=True, eq=False)
class Hosts:
    """Rows that carry a mosaic: (M,) int64 each, in the order of ``rows``.

    Attributes:
        rows: ascending.
        parts: of each.
        partners: row of another class that each is mixed with.
    """

    rows: np.ndarray
    parts: np.ndarray
    partners: np.ndarray


def choose_hosts(key: Key2, labels: np.ndarray) -> Hosts:
    """Draw the rows that carry a mark, without replacement, among those of the part's own class.

    Each part gets the same number, an even share of ``rate`` of all rows. Where a class has fewer
    rows than its parts should get, they share what there is, and fewer rows are marked in all.

    Args:
        key: with mosaics.
        labels: (N,) int64, of all rows of the data.

    Raises:
        WatermarkError: a part gets no row, or there is no row of another class.
    """
    design = key.design
    each = design.marks(len(labels)) // design.parts
    order = key.permutation("mosaic rows", count=len(labels))
    targets = [key.target(part) for part in range(design.parts)]
    found: list[tuple[int, int, int]] = []
    for target in sorted(set(targets)):
        own = [part for part in range(design.parts) if targets[part] == target]
        rows = order[labels[order] == target][: each * len(own)].tolist()
        others = np.flatnonzero(labels != target)
        if len(rows) < len(own) or not len(others):
            raise WatermarkError(
                f"class {design.classes[target]!r} has {len(rows)} rows for {len(own)} parts, and "
                f"{len(others)} rows are of other classes: mark more data or take fewer parts"
            )
        for n, row in enumerate(rows):
            word = int(key.words("mosaic partner", row, count=1)[0])
            found.append((row, own[n % len(own)], int(others[word * len(others) >> 64])))
    return Hosts(*np.ascontiguousarray(np.array(sorted(found), dtype=np.int64).T))
