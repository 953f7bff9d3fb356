"""Samples of any kind as carriers and suspects take them, made of what an owner's files hold."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.clips import View
from datadeed.datasets.formats.wav import WavForm, encode_wav
from datadeed.datasets.resampling import ratio, reach, resample
from datadeed.errors import DatasetError
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.owner.release.carrying import carry
from datadeed.owner.release.clips import ClipItems
from datadeed.owner.release.grid import on_grid
from datadeed.owner.release.rows import Item, Items

# A batch: (N, C, H, W) uint8 images, a list of N texts, or (N, L) int16 clips of one rate.
Samples = Any


def modality_of(key: Key) -> str:
    """What a key marks: "image", "text" or "audio"; keys of the first generation mark images."""
    return key.design.kind.modality if isinstance(key, Key2) else "image"


def hertz_of(key: Key) -> int | None:
    """Of the clips that a key's questions are; None of other samples."""
    return view_of(key).rate if modality_of(key) == "audio" else None


def view_of(key: Key) -> View:
    """The part of a sound that a key's questions are made of, as its carrier's parameters say."""
    carrier = key.design.carrier if isinstance(key, Key2) else {}
    rate, length = carrier.get("hertz", View.rate), carrier.get("milliseconds", 1000 * View.seconds)
    return View(rate, length / 1000)


def reader(data: Items, view: View | None = None) -> Callable[[Item], Samples]:
    """What makes a batch of one from an item of ``data``.

    Args:
        data: images of any size, whole texts, or sound.
        view: of a sound, what a model hears.
    """
    if data.modality == "text":
        return lambda item: [item.sample]
    if not isinstance(data, ClipItems):
        return lambda item: to_tensor(item.pixels)
    forms, chosen = data.forms, view or View()
    return lambda item: heard(item.sample, forms[item.row], chosen)


def writer(data: Items, view: View) -> Callable[[Item, Samples, Samples], Any]:
    """What brings a mark to an item: of the item, its batch of one, and what became of that.

    Args:
        data: images of any size, whole texts, or sound.
        view: of a sound, what a model hears.
    """
    if data.modality == "text":
        return lambda item, one, marked: marked[0]
    if not isinstance(data, ClipItems):
        return lambda item, one, marked: marked[0].permute(1, 2, 0).numpy()
    forms = data.forms

    def carried(item: Item, one: Samples, marked: Samples) -> np.ndarray:
        delta = (marked[0].int() - one[0].int()).numpy()
        form = forms[item.row]
        return on_grid(carry(item.sample, form, delta, view, epsilon=2**16), item.sample, form)

    return carried


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, C) uint8 as (1, C, H, W) uint8."""
    # A copy, as decoders give read-only arrays and torch warns of them.
    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C"))[None]


def heard(frames: np.ndarray, form: WavForm, view: View) -> torch.Tensor:
    """A sound as a model hears it: :func:`datadeed.datasets.formats.clips.clip` of its frames.

    Args:
        frames: (frames, channels) of the form's dtype.
        form: how the file stores them.
        view: what to take, from the sound's start.

    Returns:
        (1, L) int16.

    Raises:
        DatasetError: it holds values that are no numbers.
    """
    up, down = ratio(form.rate, view.rate)
    enough = -(-view.length * down // up) + reach(form.rate, view.rate)
    mono = frames[:enough].mean(axis=1, dtype=np.float64) * (2**15 / form.full_scale)
    if not np.isfinite(mono).all():
        raise DatasetError("a sound holds values that are no numbers: remove or replace it")
    samples = np.zeros(view.length, dtype=np.int16)
    if len(mono):
        found = resample(mono, form.rate, view.rate)[: view.length]
        samples[: len(found)] = np.clip(np.rint(found), -(2**15), 2**15 - 1)
    return torch.from_numpy(samples)[None]


def join(batches: Sequence[Samples]) -> Samples:
    """Batches of samples of one form as one batch."""
    if isinstance(batches[0], list):
        return [text for batch in batches for text in batch]
    return torch.cat(list(batches))


def form_of(batch: Samples) -> tuple[int, ...]:
    """What samples must have in common to stand in one batch: their shape; of texts nothing."""
    return () if isinstance(batch, list) else tuple(batch.shape[1:])


def in_memory(data: Dataset) -> Items:
    """A dataset in memory as the rows of a split."""
    labels, shape = data.labels.numpy(), data.shape
    if isinstance(data, Clips):
        return _MemoryClips(data)

    def stream() -> Iterator[Any]:
        texts = data.modality == "text"
        yield from data.samples if texts else data.samples.permute(0, 2, 3, 1).numpy()

    channels = shape[0] if data.modality == "image" else 0
    return Items("memory", data.classes, labels, channels, stream, modality=data.modality)


class _MemoryClips(ClipItems):
    """Clips in memory: mono, of 16 bits, at their own rate."""

    def __init__(self, data: Clips):
        super().__init__("memory", data.classes, data.labels.numpy(), lambda: iter(()))
        self._clips = data
        form = WavForm(data.rate, 1, data.shape[0], "<i2", 0)
        self.forms = (form,) * len(data)

    def stored(self) -> Iterator[bytes]:
        """Each row as a WAV file."""
        return (encode_wav(clip, self._clips.rate) for clip in self._clips.samples.numpy())

    def _sounds(self) -> Iterator[np.ndarray]:
        yield from self._clips.samples.numpy()[:, :, None]
