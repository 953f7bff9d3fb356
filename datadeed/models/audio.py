"""Clips in, logits out: a network on the raw waveform, with its scaling."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from datadeed.datasets.form.dataset import Form
from datadeed.errors import ModelError
from datadeed.models.layers import initialise, scaled
from datadeed.models.model import Model

_CHANNELS = (100, 64, 128, 128, 128, 128, 64, 32)  # of each convolution at the published width
_SHORTEST = 511  # samples; less leaves nothing after the last pooling
_BATCH_SAMPLES = 2**19  # what a batch of predictions holds: about 1 GB at the published width
FULL_SCALE = 32768  # int16


def raw_audio_cnn(length: int, classes: int, width: int) -> nn.Module:
    """RawAudioCNN, as Tang et al. 2023 use it on AudioMNIST: eight convolutions, a linear layer.

    From the authors' code, which took it from a notebook of the Adversarial Robustness Toolbox: the
    convolutions' channels, kernels of 3, paddings (2, then 1, the last 0), batch norm, ReLU and
    max-pooling (3, then 2, stride 2) after each, and the linear layer on all positions (32 x 30 of
    8,000 samples). Pooling comes before ReLU here, which gives the same values for half the work.
    A convolution is a (1, 3) one of images one row high: on a CPU PyTorch trains these, in
    channels-last memory, four times as fast as its own one-dimensional ones at the published width.

    Args:
        length: of a clip, in samples.
        classes: number of logits.
        width: channels of the second convolution; 64 is the published network, and another one
            scales every layer by width / 64, rounded, to 1 channel or more.

    Returns:
        A module from (N, 1, 1, L) float to (N, classes) float logits; its features are all channels
        at all positions that are left: (N, 960) at the published width, of 8,000 samples.

    Raises:
        ModelError: nothing is left of such short clips.
    """
    layers: list[nn.Module] = []
    inputs, left = 1, length
    for layer, published in enumerate(_CHANNELS):
        first, last = layer == 0, layer == len(_CHANNELS) - 1
        padding, pool, outputs = 1 + first - last, 2 + first, scaled(published, width)
        layers += [
            nn.Conv2d(inputs, outputs, (1, 3), padding=(0, padding)),
            nn.BatchNorm2d(outputs),
            nn.MaxPool2d((1, pool), stride=(1, 2)),
            nn.ReLU(inplace=True),
        ]
        inputs, left = outputs, (left + 2 * padding - 2 - pool) // 2 + 1
    if left < 1:
        raise ModelError(
            f"clips of {length} samples are too short for raw-audio-cnn: give {_SHORTEST} or more"
        )
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * left, classes))


NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {"raw-audio-cnn": raw_audio_cnn}


class AudioClassifier(Model):
    """A network for clips of one length.

    In bfloat16 a sample keeps 8 significant bits: of a change below 1/512 of its own size nothing
    is left.

    Args:
        network: a key of :data:`NETWORKS`.
        shape: (L,) of a clip, in samples.
        classes: number of classes.
        width: 64 is the published size.
        rate: of the clips in Hz, for the record: the network does not use it.

    Raises:
        ModelError: unknown network, or values that it cannot take.
    """

    modality: ClassVar[str] = "audio"

    def __init__(
        self,
        network: str,
        *,
        shape: tuple[int, ...],
        classes: int,
        width: int = 64,
        rate: int | None = None,
    ):
        super().__init__()
        if network not in NETWORKS:
            raise ModelError(f"unknown network {network!r}: choose one of {', '.join(NETWORKS)}")
        if len(shape) != 1:
            raise ModelError(f"{network} takes clips, not samples of shape {tuple(shape)}")
        self.config = {
            "modality": self.modality,
            "network": network,
            "shape": list(shape),
            "classes": classes,
            "width": width,
            "rate": rate,
        }
        with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
            self.network = NETWORKS[network](shape[0], classes, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, (N, K) float, of (N, L) clips: int16, or float -1..1 (differentiable).

        Raises:
            ModelError: the clips have another length than those that it was made for.
        """
        if list(x.shape[1:]) != self.config["shape"]:
            raise ModelError(
                f"clips of shape {tuple(x.shape[1:])} were given to a model for "
                f"{tuple(self.config['shape'])}: cut or pad them"
            )
        if x.dtype == torch.int16:
            x = x.float() / FULL_SCALE
        x = x[:, None, None].contiguous(memory_format=torch.channels_last)
        logits: torch.Tensor = self.network(x)
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
    ) -> "AudioClassifier":
        """A model with weights that ``generator`` alone decides; ``width`` is the one setting."""
        model = cls(network, shape=form.shape, classes=classes, rate=form.rate, **settings)
        initialise(model.network, generator)
        return model

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AudioClassifier":
        """A model with any weights, to load others into."""
        return cls(**{key: value for key, value in config.items() if key != "modality"})

    def encode(self, samples: torch.Tensor) -> torch.Tensor:
        """The clips as they are, (N, L) int16."""
        return samples.contiguous()

    @torch.no_grad()
    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        """Softmax probabilities, (N, K) float32 on the CPU, of (N, L) int16 clips.

        Fewer than ``batch_size`` clips go through at a time where they are long.
        """
        self.eval()
        parts = []
        for batch in samples.split(max(1, min(batch_size, _BATCH_SAMPLES // samples.shape[1]))):
            with torch.autocast(self.device.type, torch.bfloat16):
                logits = self(batch.to(self.device))
            parts.append(logits.float().softmax(1).cpu())
        return torch.cat(parts)
