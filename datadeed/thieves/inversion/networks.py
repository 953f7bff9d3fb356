"""The two networks of an inversion: one draws pictures of a wanted class, one tells them from real.

Neither is published: our reading, a small relative of DAFL's generator (Chen et al. 2019).
"""

import torch
from torch import nn
from torch.nn import functional as F

from datadeed.models.layers import initialise


class Generator(nn.Module):
    """Noise and a label in, a picture out.

    Args:
        shape: (C, H, W) of a picture.
        classes: number of classes.
        noise: length of the noise, and of a class's embedding.
        width: channels of the last hidden layer; the first one has twice as many.
        generator: draws the weights.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        noise: int,
        width: int,
        generator: torch.Generator,
    ):
        super().__init__()
        channels, *self.size = shape
        self.noise, self.classes = noise, classes
        self.start = (2 * width, *(-(-side // 4) for side in self.size))
        height, breadth = self.start[1:]
        with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
            self.embedding = nn.Embedding(classes, noise)
            self.first = nn.Linear(2 * noise, 2 * width * height * breadth)
            self.body = nn.Sequential(
                nn.BatchNorm2d(2 * width),
                nn.LeakyReLU(0.2),
                nn.Upsample(scale_factor=2),
                nn.Conv2d(2 * width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2),
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, channels, 3, padding=1),
            )
        initialise(self, generator)
        nn.init.normal_(self.embedding.weight, generator=generator)

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Pictures, (N, C, H, W) float 0..1, of (N, noise) float and labels (N,) int64."""
        x = self.first(torch.cat([z, self.embedding(y)], 1)).unflatten(1, self.start)
        height, breadth = self.size
        pictures: torch.Tensor = self.body(x)[..., :height, :breadth].sigmoid()
        return pictures


class Discriminator(nn.Module):
    """Is a picture real? A logit each, (N,) float, of (N, C, H, W) float 0..1.

    Args:
        channels: of a picture, whose sides are 4 pixels or more.
        width: channels of the first layer.
        generator: draws the weights.
    """

    def __init__(self, channels: int, *, width: int, generator: torch.Generator):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.body = nn.Sequential(
                nn.Conv2d(channels, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 2 * width, 4, 2, 1),
                nn.LeakyReLU(0.2),
            )
            self.last = nn.Linear(2 * width * 16, 1)
        initialise(self, generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # A grid of 4 x 4 for pictures of any size.
        features = F.interpolate(self.body(2 * x - 1), (4, 4), mode="area")
        logits: torch.Tensor = self.last(features.flatten(1))[:, 0]
        return logits
