"""ResNet-18 for small images (He et al. 2016, section 4.2 style stem, as DVBW uses on CIFAR-10)."""

import torch
from torch import nn
from torch.nn import functional as F

from datadeed.models.layers import GlobalAverage


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x), inplace=True)


def resnet18(channels: int, classes: int, width: int) -> nn.Module:
    """ResNet-18 with a 3x3 stem and no max-pooling.

    Args:
        channels: input channels.
        classes: number of logits.
        width: channels of the first stage; 64 is the published network.

    Returns:
        A module from (N, C, H, W) float to (N, classes) float logits, by features (N, 8 width).
    """
    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    inputs = width
    for factor, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
        layers += [BasicBlock(inputs, width * factor, stride)]
        layers += [BasicBlock(width * factor, width * factor, 1)]
        inputs = width * factor
    return nn.Sequential(*layers, GlobalAverage(), nn.Linear(inputs, classes))
