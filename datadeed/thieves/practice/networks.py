"""Networks that thieves train: the house's, and small ones of other families."""

from collections.abc import Callable

import torch
from torch import nn

from datadeed.models.layers import GlobalAverage, initialise
from datadeed.models.resnet import resnet18
from datadeed.models.vgg import vgg16bn


def mobilenet(channels: int, classes: int, width: int) -> nn.Module:
    """Inverted residuals as in MobileNetV2 (Sandler et al. 2018), six of them, for small images.

    Args:
        channels: input channels.
        classes: number of logits.
        width: channels of the stem; the last block has four times as many.
    """
    from torchvision.models.mobilenetv2 import InvertedResidual  # takes seconds to import

    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(inplace=True),
    ]
    inputs, wider = width, width * 3 // 2
    sizes = ((wider, 1), (wider, 1), (2 * width, 2), (2 * width, 1), (4 * width, 2), (4 * width, 1))
    for outputs, stride in sizes:
        layers.append(InvertedResidual(inputs, outputs, stride, expand_ratio=4))
        inputs = outputs
    return nn.Sequential(*layers, GlobalAverage(), nn.Linear(inputs, classes))


class SmallViT(nn.Module):
    """A vision transformer for small images: four layers, patches of 4 pixels, a convolution first.

    Args:
        channels: input channels.
        classes: number of logits.
        width: a sixth of the tokens' width.
    """

    def __init__(self, channels: int, classes: int, width: int):
        super().__init__()
        size = 6 * width
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, size, 4, 4),
        )
        self.positions = nn.Conv2d(size, size, 3, padding=1, groups=size)  # for any image size
        layer = nn.TransformerEncoderLayer(
            size, 4, 2 * size, 0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.positions(x)
        tokens = x.flatten(2).transpose(1, 2)  # (N, tokens, size)
        logits: torch.Tensor = self.head(self.norm(self.layers(tokens)).mean(1))
        return logits


NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "resnet18": resnet18,
    "vgg16bn": vgg16bn,
    "mobilenet": mobilenet,
    "vit": SmallViT,
}


def build(name: str, channels: int, classes: int, width: int, draw: torch.Generator) -> nn.Module:
    """A network with weights of its own; arguments as the network's, ``draw`` decides them."""
    with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
        torch.manual_seed(int(torch.randint(2**62, (), generator=draw)))
        network = NETWORKS[name](channels, classes, width)
    if name != "vit":  # whose weights are drawn as PyTorch does
        initialise(network, draw)
    return network
