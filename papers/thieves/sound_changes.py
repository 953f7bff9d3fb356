"""What thieves of sound do to clips: before they train, and at their servers."""

import numpy as np
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.resampling import resample
from datadeed.randomness import derive_seed


def moved(data: Clips, copies: int, seed: int) -> Clips:
    """Some copies of each clip, up to 100 ms earlier or later, louder or softer, with noise."""
    draw = np.random.default_rng(derive_seed(seed, "moved"))
    reach, (n, length) = data.rate // 10, data.samples.shape
    found = []
    for _ in range(copies):
        padded = np.pad(data.samples.numpy().astype(float), ((0, 0), (reach, reach)))
        first = draw.integers(0, 2 * reach + 1, (n, 1))
        clips = np.take_along_axis(padded, first + np.arange(length), 1)
        clips = clips * draw.uniform(0.5, 1.5, (n, 1)) + draw.normal(0, 60, clips.shape)
        found.append(to_int16(clips))
    rows = torch.arange(n).repeat(copies)
    return Clips(torch.cat(found), data.labels[rows], data.index[rows], data.classes, data.rate)


def to_int16(clips: np.ndarray) -> torch.Tensor:
    """Rounded; what is too loud is clipped."""
    return torch.from_numpy(np.clip(np.rint(clips), -(2**15), 2**15 - 1).astype(np.int16))


def narrowed(clips: torch.Tensor, rate: int = 8000) -> torch.Tensor:
    """To half the rate and back."""
    sound = clips.numpy().astype(np.float64).T
    return to_int16(resample(resample(sound, rate, rate // 2), rate // 2, rate)[: len(sound)].T)


def low_passed(clips: torch.Tensor, share: float = 0.75) -> torch.Tensor:
    """Nothing above three quarters of the highest frequency, as a lossy codec does."""
    spectrum = torch.fft.rfft(clips.double())
    spectrum[:, int(share * spectrum.shape[1]) :] = 0
    return to_int16(torch.fft.irfft(spectrum, n=clips.shape[1]).numpy())


def noisy(clips: torch.Tensor) -> torch.Tensor:
    """With noise 20 dB below each clip."""
    draw = torch.Generator().manual_seed(1)
    loud = clips.double().square().mean(1, keepdim=True).sqrt()
    noise = torch.randn(clips.shape, generator=draw, dtype=torch.float64)
    return to_int16((clips + 0.1 * loud * noise).numpy())
