"""VGG with batch normalisation for small images (Simonyan & Zisserman 2015, table 1)."""

from torch import nn

from datadeed.models.layers import GlobalAverage

_FACTORS = (1, 2, 4, 8, 8)  # width of each stage
_VGG16, _VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)  # convolutions of each stage


def vgg16bn(channels: int, classes: int, width: int) -> nn.Module:
    """VGG-16-BN (configuration D); otherwise as :func:`vgg19bn`."""
    return _vgg(_VGG16, channels, classes, width)


def vgg19bn(channels: int, classes: int, width: int) -> nn.Module:
    """VGG-19-BN (configuration E) with one linear layer as its head, as is usual on CIFAR-10.

    Pooling rounds up, which changes nothing at 32x32 and lets 28x28 images through.

    Args:
        channels: input channels.
        classes: number of logits.
        width: channels of the first stage; 64 is the published network.

    Returns:
        A module from (N, C, H, W) float to (N, classes) float logits, by features (N, 8 width).
    """
    return _vgg(_VGG19, channels, classes, width)


def _vgg(stages: tuple[int, ...], channels: int, classes: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    inputs = channels
    for factor, convolutions in zip(_FACTORS, stages, strict=True):
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
