"""Random changes of a batch of images, as training recipes use them.

Each takes (N, C, H, W) images, uint8 0..255 or float 0..1, and a CPU generator that draws for every
image of its own, and gives images of the same shape, uint8 or float 0..1.
"""

import functools
import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

CROP = 4  # pixels of padding, so of movement
FEW = 4  # images of a batch that share one operation, which is what it costs
HOLE = 14  # side of a cutout in pixels
SMALLEST = 0.35  # share of the image that a random resized crop keeps at least

Augmentation = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def crop(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Move by up to CROP pixels, with black beyond the edge."""
    n, _, height, width = x.shape
    corner = torch.randint(0, 2 * CROP + 1, (2, n, 1), generator=draw).to(x.device)
    rows, columns = (
        at + torch.arange(size, device=x.device)
        for at, size in zip(corner, (height, width), strict=True)
    )
    padded = F.pad(x, (CROP,) * 4).permute(0, 2, 3, 1)
    image = torch.arange(n, device=x.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def resized_crop(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Show a rectangle of SMALLEST to 1 of the area and 3:4 to 4:3, at the image's size."""
    area, ratio, right, down = torch.rand(4, len(x), generator=draw)
    area = SMALLEST + (1 - SMALLEST) * area
    ratio = torch.exp((2 * ratio - 1) * math.log(4 / 3))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    zero = torch.zeros(len(x))
    theta = torch.stack(
        [
            torch.stack([width, zero, (2 * right - 1) * (1 - width)], 1),
            torch.stack([zero, height, (2 * down - 1) * (1 - height)], 1),
        ],
        1,
    ).to(x.device)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(as_float(x), grid, align_corners=False, padding_mode="border")


def cutout(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Make a square of HOLE pixels black, around a pixel drawn from the whole image."""
    n, _, height, width = x.shape
    hidden = []
    for size in (height, width):
        centre = torch.randint(0, size, (n, 1), generator=draw)
        away = torch.arange(size) - centre
        hidden.append((away >= -HOLE // 2) & (away < HOLE // 2))
    hole = hidden[0][:, None, :, None] & hidden[1][:, None, None, :]
    return x.masked_fill(hole.to(x.device), 0)


def trivial_augment(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """TrivialAugment (Mueller & Hutter 2021) of torchvision, uint8 only; FEW at once share one."""
    from torchvision.transforms import TrivialAugmentWide  # takes seconds to import

    change = TrivialAugmentWide()
    with torch.random.fork_rng(devices=[]):  # it draws from the global state
        torch.manual_seed(int(torch.randint(2**62, (), generator=draw)))
        changed = [change(images) for images in x.contiguous().split(FEW)]
    return torch.cat(changed).contiguous(memory_format=torch.channels_last)


def as_float(x: torch.Tensor) -> torch.Tensor:
    """0..1, whatever it was."""
    return x.float() / 255 if x.dtype == torch.uint8 else x


AUGMENTATIONS: dict[str, Augmentation] = {
    "crop": crop,
    "resized-crop": resized_crop,
    "cutout": cutout,
    "trivial-augment": trivial_augment,
}


def augment(names: tuple[str, ...], x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Several, one after another, by their names in :data:`AUGMENTATIONS`."""
    return functools.reduce(lambda seen, name: AUGMENTATIONS[name](seen, draw), names, x)
