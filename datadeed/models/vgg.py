"""VGG-19 with batch normalisation for small images (Simonyan & Zisserman 2015, configuration E)."""

from torch import nn

from datadeed.models.resnet import GlobalAverage

_STAGES = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))  # (width factor, convolutions) a stage


def vgg19bn(channels: int, classes: int, width: int) -> nn.Module:
    """VGG-19-BN with one linear layer as its head, as is usual on CIFAR-10.

    Pooling rounds up, which changes nothing at 32x32 and lets 28x28 images through.

    Args:
        channels: input channels.
        classes: number of logits.
        width: channels of the first stage; 64 is the published network.

    Returns:
        A module from (N, C, H, W) float to (N, classes) float logits.
    """
    layers: list[nn.Module] = []
    inputs = channels
    for factor, convolutions in _STAGES:
        for _ in range(convolutions):
            outputs = width * factor
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            inputs = outputs
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers, GlobalAverage(), nn.Linear(inputs, classes))
