"""A network that hears sound as most people's do: on the logarithm of its mel spectrum."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from datadeed.datasets.form.dataset import Form
from datadeed.errors import ModelError
from datadeed.models.layers import initialise
from datadeed.models.model import Model

WINDOW, HOP, BANDS = 256, 80, 32  # samples at 8 kHz: 32 ms and 10 ms
FULL_SCALE = 32768


class Listener(Model):
    """Three convolutions on a log-mel spectrogram, the loudest of each channel, a linear layer.

    Args:
        length: of clips, in samples.
        rate: of clips, in Hz.
        classes: number of logits.
        width: channels of the first convolution.
    """

    modality: ClassVar[str] = "audio"

    def __init__(self, length: int, rate: int, classes: int, width: int = 16):
        super().__init__()
        names = {"length": length, "rate": rate, "classes": classes, "width": width}
        self.config = {"modality": "audio", "network": "listener", **names}
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("bands", mel_bands(rate), persistent=False)
        with torch.random.fork_rng(devices=[]):
            layers: list[nn.Module] = []
            for inputs, outputs in ((1, width), (width, 2 * width), (2 * width, 4 * width)):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
                layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            layers[-1] = nn.AdaptiveMaxPool2d(1)
            self.network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of what :meth:`encode` gave."""
        logits: torch.Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits

    @classmethod
    def new(
        cls, network: str, *, form: Form, classes: int, generator: torch.Generator, **settings: Any
    ) -> "Listener":
        """A model with weights that ``generator`` alone decides."""
        if network != "listener" or form.rate is None:
            raise ModelError(f"unknown network {network!r}: choose listener, for clips")
        model = cls(form.shape[0], form.rate, classes, **settings)
        initialise(model.network, generator)
        return model

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Listener":
        """A model with any weights, to load others into."""
        names = ("length", "rate", "classes", "width")
        return cls(**{name: config[name] for name in names})

    window: torch.Tensor
    bands: torch.Tensor

    @torch.no_grad()
    def encode(self, samples: torch.Tensor) -> torch.Tensor:
        """(N, 1, 32, T) float32 log-mel spectra of (N, L) int16 clips, about 0 and 1 wide."""
        found = []
        for clips in samples.split(256):
            power = torch.stft(
                clips.float() / FULL_SCALE, WINDOW, HOP, window=self.window, return_complex=True
            )
            mel: torch.Tensor = self.bands @ power.abs().square()
            found.append((mel + 1e-6).log().add(6).div(4))
        return torch.cat(found)[:, None]

    @torch.no_grad()
    def predict(self, samples: torch.Tensor, *, batch_size: int = 256) -> torch.Tensor:
        """Softmax probabilities, (N, K) float32."""
        self.eval()
        batches = self.encode(samples).split(batch_size)
        return torch.cat([self(batch).float().softmax(1).cpu() for batch in batches])


def mel_bands(rate: int) -> torch.Tensor:
    """(32, 129) float32: triangles that are as wide as they are apart, on the mel scale."""
    hertz = np.linspace(0, rate / 2, WINDOW // 2 + 1)
    mel = 2595 * np.log10(1 + hertz / 700)
    edges = np.interp(np.linspace(mel[2], mel[-1], BANDS + 2), mel, hertz)
    low, middle, high = (edges[k : k + BANDS, None] for k in range(3))
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return torch.from_numpy(np.maximum(0, np.minimum(rising, falling)).astype(np.float32))
