"""Samples of any kind: from files to batches, and marks back to files."""

import io
import wave

import numpy as np
import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats import clips, wav
from datadeed.datasets.formats.clips import View
from datadeed.datasets.formats.wav import WavForm
from datadeed.errors import DatasetError
from datadeed.owner.data import measure
from datadeed.owner.pool import measure_pool
from datadeed.owner.release.rows import Item
from datadeed.owner.samples import form_of, heard, in_memory, join, reader, writer


def recorded(rate: int, channels: int, frames: int) -> bytes:
    noise = np.random.default_rng(rate).integers(-9000, 9000, (frames, channels)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(noise.tobytes())
    return file.getvalue()


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
@pytest.mark.parametrize(("channels", "seconds"), [(1, 0.3), (2, 1.0), (1, 2.5)])
def test_a_sound_is_heard_as_a_dataset_reads_it(rate: int, channels: int, seconds: float) -> None:
    source, view = recorded(rate, channels, int(rate * seconds)), View()
    form = wav.read_form("x", source)
    found = heard(wav.read_frames("x", source, form), form, view)
    assert np.array_equal(found[0].numpy(), clips.clip("x", source, form, view))


def test_values_that_are_no_numbers_are_refused() -> None:
    form = WavForm(8000, 1, 4, "<f4", 0)
    with pytest.raises(DatasetError, match="no numbers"):
        heard(np.array([[0.0], [np.nan]], dtype="<f4"), form, View())


def test_clips_in_memory() -> None:
    samples = torch.arange(24, dtype=torch.int16).reshape(3, 8) * 9
    samples[2] = samples[0]
    data = in_memory(Clips(samples, torch.tensor([0, 1, 0]), torch.arange(3), ("a", "b"), 8000))
    extent, kept, repeated = measure_pool(data, "pool", [1], view=View(8000, 8 / 8000))
    assert (extent.rows, repeated, data.modality) == (3, 1, "audio")
    assert torch.equal(kept[1], samples[1:2])
    item = Item(1, samples[1].numpy()[:, None], 1)
    one = reader(data, View(8000, 8 / 8000))(item)
    new = writer(data, View(8000, 8 / 8000))(item, one, one + 5)
    assert np.array_equal(new, item.sample + 5)


def test_texts_in_memory() -> None:
    data = in_memory(Texts(["x", "y", "x"], torch.tensor([0, 1, 0]), torch.arange(3), ("a", "b")))
    extent, kept, repeated = measure_pool(data, "pool", [1])
    assert (extent, kept, repeated) == (measure(data, "data")[0], {1: ["y"]}, 1)
    other = in_memory(Texts(["x", "z", "x"], torch.tensor([0, 1, 0]), torch.arange(3), ("a", "b")))
    assert measure(other, "data")[0].merkle_root != extent.merkle_root
    item = Item(0, "x", 0)
    assert writer(data, View())(item, reader(data)(item), ["new"]) == "new"


def test_batches() -> None:
    assert join([["a"], ["b", "c"]]) == ["a", "b", "c"]
    assert form_of(["a"]) == form_of(["longer"])
    images = [torch.zeros(1, 3, 4, 5), torch.ones(2, 3, 4, 5)]
    assert join(images).shape == (3, 3, 4, 5)
    assert form_of(images[0]) != form_of(torch.zeros(1, 3, 5, 4))
