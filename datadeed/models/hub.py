"""Torchvision's networks for colour images, and their ImageNet weights.

Their features are (N, 512) for ResNet-18, (N, 4096) for VGG and (N, 2048) for Inception-v3.
"""

import torchvision
from torch import nn

from datadeed.errors import ModelError

_NAMES = {  # torchvision's, where they are not ours without the prefix
    "torchvision-vgg16bn": "vgg16_bn",
    "torchvision-vgg19bn": "vgg19_bn",
    "torchvision-inception-v3": "inception_v3",
}


def _build(name: str, channels: int, classes: int, width: int, **settings: bool) -> nn.Module:
    if channels != 3 or width != 64:
        raise ModelError(f"torchvision's {name} takes colour images and has width 64 only")
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=classes, **settings
    )
    return network


def resnet18(channels: int, classes: int, width: int) -> nn.Module:
    """ResNet-18 as in torchvision, with a first stride for images of 224x224."""
    return _build("resnet18", channels, classes, width)


def vgg16bn(channels: int, classes: int, width: int) -> nn.Module:
    """VGG-16 with batch norm."""
    return _build("vgg16_bn", channels, classes, width)


def vgg19bn(channels: int, classes: int, width: int) -> nn.Module:
    """VGG-19 with batch norm."""
    return _build("vgg19_bn", channels, classes, width)


def inception_v3(channels: int, classes: int, width: int) -> nn.Module:
    """Inception-v3 without the auxiliary head, so that it gives logits alone.

    Takes 75x75 or more, 299x299 as published; its ImageNet weights are for a mean and a standard
    deviation of 0.5.
    """
    return _build("inception_v3", channels, classes, width, aux_logits=False, init_weights=False)


def load_pretrained(network: nn.Module, name: str) -> None:
    """Load torchvision's ImageNet weights, except the last layer."""
    if not name.startswith("torchvision-"):
        raise ModelError(f"{name} has no pretrained weights: choose torchvision-{name}")
    hub_name = _NAMES.get(name, name.removeprefix("torchvision-"))
    weights = torchvision.models.get_model_weights(hub_name).DEFAULT
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"torchvision's weights for {hub_name} could not be fetched ({error}): go online once, "
            "or set pretrained: false in the parameters"
        ) from error
    last = [key for key in state if key.startswith(("fc.", "classifier.6."))]
    network.load_state_dict({k: v for k, v in state.items() if k not in last}, strict=False)
