"""Images in, logits out: scaling and normalisation are part of the model and of its file."""

import pkgutil
from typing import Any, ClassVar

import torch
from torch import nn

from datadeed.datasets.form.dataset import Form
from datadeed.errors import ModelError
from datadeed.models.layers import initialise
from datadeed.models.model import Model

NETWORKS = {
    "resnet18": "datadeed.models.resnet:resnet18",
    "vgg16bn": "datadeed.models.vgg:vgg16bn",
    "vgg19bn": "datadeed.models.vgg:vgg19bn",
    "inception-v3": "datadeed.models.inception:inception_v3",
    "torchvision-resnet18": "datadeed.models.hub:resnet18",
    "torchvision-vgg16bn": "datadeed.models.hub:vgg16bn",
    "torchvision-vgg19bn": "datadeed.models.hub:vgg19bn",
    "torchvision-inception-v3": "datadeed.models.hub:inception_v3",
}


class Classifier(Model):
    """A network for images, with its input scaling.

    Args:
        network: maps (N, C, H, W) float to (N, K) logits.
        mean, std: per channel, on the 0..1 scale.
        config: what :func:`build` needs to make this model again.
    """

    modality: ClassVar[str] = "image"

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, network: nn.Module, mean: list[float], std: list[float], config: dict[str, Any]
    ):
        super().__init__()
        self.network, self.config = network, config
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, (N, K) float, of (N, C, H, W) images: uint8 0..255 or float 0..1."""
        if x.dtype == torch.uint8:
            x = x.float() / 255
        logits: torch.Tensor = self.network((x - self.mean) / self.std)
        return logits

    @classmethod
    def new(
        cls,
        network: str,
        *,
        form: Form,
        classes: int,
        generator: torch.Generator,
        **settings: Any,
    ) -> "Classifier":
        """As :func:`build`."""
        return build(network, shape=form.shape, classes=classes, generator=generator, **settings)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Classifier":
        """A model with any weights, to load others into."""
        values = {key: config[key] for key in config if key not in ("shape", "pretrained")}
        form = Form("image", tuple(config["shape"]))
        return cls.new(form=form, generator=torch.Generator(), **values)

    def encode(self, samples: torch.Tensor) -> torch.Tensor:
        """(N, H, W, C) uint8, so that a row of it is one stretch of memory."""
        return samples.permute(0, 2, 3, 1).contiguous()

    def batch(self, encoded: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) uint8, in channels-last memory."""
        return encoded[rows].permute(0, 3, 1, 2)

    @torch.no_grad()
    def predict(self, images: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        """Softmax probabilities, (N, K) float32 on the CPU, of (N, C, H, W) uint8 images."""
        self.eval()
        device = self.mean.device
        parts = []
        for batch in images.split(batch_size):
            with torch.autocast(device.type, torch.bfloat16):
                logits = self(batch.to(device))
            parts.append(logits.float().softmax(1).cpu())
        return torch.cat(parts)


def build(
    network: str,
    *,
    shape: tuple[int, ...],
    classes: int,
    width: int = 64,
    mean: list[float] | None = None,
    std: list[float] | None = None,
    pretrained: bool = False,
    generator: torch.Generator,
) -> Classifier:
    """A new classifier.

    Args:
        network: a key of :data:`NETWORKS`.
        shape: (C, H, W) of an image.
        classes: number of classes.
        width: channels of the first stage; 64 is the published size.
        mean, std: input normalisation per channel on the 0..1 scale; 0 and 1 when left out (DVBW on
            CIFAR-10 does not normalise).
        pretrained: start from torchvision's ImageNet weights, with a new last layer.
        generator: draws the weights.

    Raises:
        ModelError: unknown network, or values that it cannot take.
    """
    if network not in NETWORKS:
        raise ModelError(f"unknown network {network!r}: choose one of {', '.join(NETWORKS)}")
    channels = shape[0]
    mean, std = mean or [0.0] * channels, std or [1.0] * channels
    if len(mean) != channels or len(std) != channels:
        raise ModelError(f"mean and std need {channels} values each, one a channel")
    config = {
        "network": network,
        "shape": list(shape),
        "classes": classes,
        "width": width,
        "mean": mean,
        "std": std,
    }
    with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
        body = pkgutil.resolve_name(NETWORKS[network])(channels, classes, width)
    initialise(body, generator)
    if pretrained:
        from datadeed.models.hub import load_pretrained  # torchvision takes seconds to import

        load_pretrained(body, network)
    return Classifier(body, mean, std, config)
