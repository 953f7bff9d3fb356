"""Samples that a variational autoencoder reconstructs badly (Kingma & Welling 2014).

Tang et al. (2023) use the detector of the library alibi-detect, with the network of its CIFAR-10
example. That library needs TensorFlow; this one is the same idea, narrower: strided convolutions,
Gaussian reconstruction error with a standard deviation of 0.05, the mean squared error as score.
The error is of the reconstruction from the code's mean, not an average over drawn codes, so that a
score is the same each time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import ParameterError, UnsupportedModality
from datadeed.models.training.optimiser import AdamW

LEAST = 8  # pixels a side, which three halvings leave 1 of
SIGMA = 0.05
FLOOR = -80.0  # dB; quieter is silence
WINDOW = 0.032  # seconds


@dataclass(frozen=True)
class AutoencoderConfig:
    """How wide, and how to train. The example's widths are 64, 128 and 512, its code 1,024.

    Attributes:
        width: channels of the first convolution; the next two have twice and four times as many.
        code: dimensions of the code.
        epochs: passes over the data.
        lr: learning rate of Adam.
        batch_size: samples a step.

    Raises:
        ParameterError: a value is not above 0.
    """

    width: int = 8
    code: int = 64
    epochs: int = 5
    lr: float = 3e-3
    batch_size: int = 128

    def __post_init__(self) -> None:
        if min(self.width, self.code, self.epochs, self.batch_size) < 1 or self.lr <= 0:
            raise ParameterError(f"{self}: every value must be above 0")


@dataclass(frozen=True)
class Autoencoder:
    """Rates images or clips by how badly they are reconstructed.

    Attributes:
        network: fitted, on the device to compute on.
        form: of the samples that it takes.
    """

    network: "Network"
    form: Form
    name: ClassVar[str] = "autoencoder"

    @torch.no_grad()
    def scores(self, data: Dataset, *, batch_size: int = 512) -> np.ndarray:
        """Mean squared error over a sample's values, 0 to 1; see ``outliers.Detector.scores``."""
        if data.form != self.form:
            raise UnsupportedModality(
                f"the autoencoder was fitted to {self.form}, but the data are {data.form}: fit "
                "one to them"
            )
        self.network.eval()
        parts = []
        for samples in data.samples.split(batch_size):
            x = pictures(samples.to(self.network.device), self.form)
            rebuilt, _, _ = self.network(x, None)
            parts.append((rebuilt - x).square().mean((1, 2, 3)).double().cpu())
        return torch.cat(parts).numpy()


def fit_autoencoder(
    data: Dataset,
    config: AutoencoderConfig,
    *,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    on_progress: Callable[[int, str], None] = lambda done, note: None,
) -> Autoencoder:
    """Train an autoencoder on the released samples, marks included; labels are not used.

    Args:
        data: images of (C, H, W) or clips.
        config: width and training.
        generator: a CPU generator; draws weights, order and codes.
        device: where to train; the network stays there.
        on_progress: called after each batch with the samples done over all epochs, and a note.

    Raises:
        UnsupportedModality: texts, or images or spectrograms of fewer than 8 pixels a side.
    """
    shape = tuple(pictures(data.samples[:1], data.form).shape[1:])
    network = build_network(shape, config, generator).to(device)
    network.to(memory_format=torch.channels_last)
    network.train()
    samples, done = data.samples.to(device), 0
    optimiser = AdamW(network.named_parameters(), weight_decay=0.0)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for epoch in range(config.epochs):
            for rows in torch.randperm(len(data), generator=generator).split(config.batch_size):
                x = pictures(samples[rows.to(device)], data.form)  # (B, C, H, W)
                noise = torch.randn(len(rows), config.code, generator=generator).to(device)
                loss = _loss(x, *network(x, noise))
                loss.backward()
                optimiser.step(config.lr)
                done += len(rows)
                on_progress(done, f"epoch {epoch + 1}/{config.epochs}")
    return Autoencoder(network, data.form)


def _loss(
    x: torch.Tensor, rebuilt: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor
) -> torch.Tensor:
    """Negative evidence lower bound without its constant, in nats a sample."""
    error = (rebuilt - x).square().sum() / (2 * SIGMA**2)
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
    loss: torch.Tensor = (error + divergence) / len(x)
    return loss


class Network(nn.Module):
    """Three convolutions that halve, a Gaussian code, and three that double.

    Args:
        shape: (C, H, W), H and W of 8 at least.
        config: width and code.
    """

    def __init__(self, shape: tuple[int, ...], config: AutoencoderConfig):
        super().__init__()
        channels = [shape[0], *(config.width * 2**k for k in range(3))]
        # Sizes from the image down to the code; a doubling goes to exactly the size it came from.
        self.sizes = [(shape[1] >> k, shape[2] >> k) for k in range(4)]
        self.down = nn.ModuleList(
            nn.Conv2d(channels[k], channels[k + 1], 4, stride=2, padding=1) for k in range(3)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(channels[k + 1], channels[k], 4, stride=2, padding=1)
            for k in range(3)
        )
        self.least = (channels[3], *self.sizes[3])
        self.to_code = nn.Linear(math.prod(self.least), 2 * config.code)
        self.from_code = nn.Linear(config.code, math.prod(self.least))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.to_code.weight.device

    def forward(
        self, x: torch.Tensor, noise: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rebuild pictures.

        Args:
            x: (B, C, H, W) float, 0 to 1.
            noise: (B, code) standard normal; None takes the code's mean.

        Returns:
            (B, C, H, W) float, 0 to 1; the codes' mean and log variance, (B, code) each.
        """
        h = x
        for layer in self.down:
            h = F.relu(layer(h))
        mean, log_variance = self.to_code(h.flatten(1)).chunk(2, 1)
        log_variance = log_variance.clamp(-10, 10)
        code = mean if noise is None else mean + (log_variance / 2).exp() * noise
        h = F.relu(self.from_code(code)).unflatten(1, self.least)
        for k in (2, 1, 0):
            h = self.up[k](h, output_size=self.sizes[k])
            h = F.relu(h) if k else h.sigmoid()
        return h, mean, log_variance


def build_network(
    shape: tuple[int, ...], config: AutoencoderConfig, generator: torch.Generator
) -> Network:
    """A network with weights drawn from ``generator`` alone (He et al. 2015; biases 0).

    Raises:
        UnsupportedModality: the pictures are too small.
    """
    if min(shape[1:]) < LEAST:
        raise UnsupportedModality(
            f"pictures of {shape[1]} x {shape[2]} are too small for the autoencoder: it takes "
            f"{LEAST} x {LEAST} and more"
        )
    with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
        network = Network(shape, config)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
    return network


def pictures(samples: torch.Tensor, form: Form) -> torch.Tensor:
    """Samples as pictures, (B, C, H, W) float32, 0 to 1, on their device.

    A clip becomes its spectrogram, (B, 1, frequencies, frames): decibels below a full-scale sine
    in windows of about 32 ms (Hann, half overlapping), 1 for none and 0 for 80 dB.

    Args:
        samples: (B, C, H, W) uint8 or (B, L) int16.
        form: what they are.

    Raises:
        UnsupportedModality: they are neither images nor clips.
    """
    if form.modality == "image":
        return samples.float() / 255
    if form.modality != "audio" or form.rate is None:
        raise UnsupportedModality(
            f"the autoencoder takes images and clips, not {form.modality}: use another detector"
        )
    size = 2 ** round(math.log2(WINDOW * form.rate))
    window = torch.hann_window(size, device=samples.device)
    spectrum = torch.stft(
        samples.float() / 32768,
        size,
        hop_length=size // 2,
        window=window,
        pad_mode="constant",
        return_complex=True,
    )
    full = window.sum() / 2
    decibels = 20 * (spectrum.abs() / full).clamp(min=10 ** (FLOOR / 20)).log10()
    return (1 - decibels / FLOOR).clamp(0, 1)[:, None]
