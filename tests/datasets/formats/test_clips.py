import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import wav
from datadeed.datasets.formats.clips import ClipBlocks, View, clip
from datadeed.datasets.resampling import resample
from datadeed.errors import DatasetError, ParameterError
from tests.datasets.formats.format_toys import split_of
from tests.datasets.formats.wav_toys import noise, scale, sounds, wav_bytes


def heard(data, **view):
    return clip("x", data, wav.read_form("x", data), View(**view))


@given(st.integers(1, 60), st.integers(0, 40), st.integers(1, 60))
def test_a_mono_file_of_16_bits_at_the_rate_is_read_as_it_is(count, first, length):
    frames = noise(count)
    read = heard(wav_bytes(frames), seconds=length / 8000, offset=first / 8000)
    assert read.dtype == np.int16
    there = frames[first : first + length, 0]
    assert np.array_equal(read, np.pad(there, (0, length - len(there))))


@given(sounds(most=400), st.integers(0, 100), st.integers(1, 150))
@settings(max_examples=30)
def test_a_view_is_a_part_of_the_whole_file_resampled(sound, first, length):
    """Reading only what a view needs gives what reading everything gives."""
    data, frames, kind, rate = sound
    view = View(seconds=length / 8000, offset=first / 8000)
    assert view.length == length
    mono = frames.mean(axis=1, dtype=np.float64) / scale(kind) * 2**15
    start = view.first(rate)
    # Zeros in front bring the view's first frame to a sample of the clip.
    pad = -start % (rate // np.gcd(rate, 8000))
    whole = resample(np.pad(mono, (pad, 0)), rate, 8000)
    there = whole[(start + pad) * 8000 // rate :][:length]
    wanted = np.clip(np.rint(there), -(2**15), 2**15 - 1)
    read = clip("x", data, wav.read_form("x", data), view)
    assert np.abs(read - np.pad(wanted, (0, length - len(wanted)))).max() <= 1


def test_channels_are_averaged():
    frames = np.array([[100, 200], [-30, 30], [32767, 32767], [-32768, -32768]], np.int16)
    assert heard(wav_bytes(frames), seconds=4 / 8000).tolist() == [150, 0, 32767, -32768]


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("u1", 64, 16384),
        ("<i3", -(2**22), -16384),
        ("<i4", 2**30 + 2**14, 16384),
        ("<f4", 0.5, 16384),
        ("<f8", 7.0, 32767),
        ("<f8", -7.0, -32768),
    ],
)
def test_every_width_has_the_same_full_scale(kind, value, wanted):
    frames = np.full((3, 1), value, {"u1": "<i2", "<i3": "<i4"}.get(kind, kind))
    assert heard(wav_bytes(frames, kind), seconds=3 / 8000).tolist() == [wanted] * 3


@pytest.mark.parametrize("rate", [4000, 11025, 44100, 48000])
def test_a_tone_is_heard_at_any_rate(rate):
    moments = np.arange(rate) / rate
    frames = (10000 * np.sin(2 * np.pi * 300 * moments)).astype(np.int16)[:, None]
    read = heard(wav_bytes(frames, rate=rate), seconds=0.5, offset=0.24)
    wanted = 10000 * np.sin(2 * np.pi * 300 * (0.24 + np.arange(4000) / 8000))
    assert np.abs(read - wanted).max() < 100


def test_half_an_hour_is_not_read_for_one_second(tmp_path):
    file = tmp_path / "long.wav"
    with file.open("wb") as made:
        made.write(wav_bytes(noise(10, 2), rate=44100)[:40])
        size = 30 * 60 * 44100 * 4
        made.write(size.to_bytes(4, "little"))
        made.truncate(44 + size)  # a sparse file: nothing is stored
    form = wav.read_form("x", file)
    assert form.frames == 30 * 60 * 44100
    resample(np.zeros(9), 44100, 8000)  # the filter is designed once
    tracemalloc.start()
    read = clip("x", file, form, View(offset=1700.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not read.any()
    assert peak < 4 * 2**20


def test_blocks_count_what_does_not_fit():
    lengths = [(50, 8000), (40, 8000), (30, 8000), (90, 16000)]
    files = [wav_bytes(noise(n), rate=rate) for n, rate in lengths]
    blocks = ClipBlocks(split_of("audio", files, step=10), View(seconds=40 / 8000))
    (data,) = blocks
    assert (blocks.fit.cut, blocks.fit.padded) == (2, 1)
    assert data.index.tolist() == [0, 10, 20, 30]
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert data.form.shape == (40,)
    assert not data.samples[2, 30:].any()
    assert data.samples[0].tolist() == noise(50)[:40, 0].tolist()


def test_one_file_at_a_time_is_in_memory():
    """A block of clips is far smaller than the files that it was taken from."""
    data = wav_bytes(np.zeros((10**6, 1), np.int16))
    split = split_of("audio", [data] * 40)
    copies = (("x", bytes(bytearray(data))) for _ in range(40))
    split = dataclasses.replace(split, stream=lambda: copies)
    tracemalloc.start()
    (block,) = ClipBlocks(split, View(seconds=0.01))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(block) == 40
    assert peak < 2 * 2**24 + 8 * len(data)  # two blocks, and a file with its copies


def test_values_that_are_no_numbers_are_refused():
    frames = np.array([[0.1], [np.nan], [0.2]])
    with pytest.raises(DatasetError, match="x holds values that are no numbers"):
        heard(wav_bytes(frames, "<f8"), seconds=3 / 8000)
    assert heard(wav_bytes(frames, "<f8"), seconds=1 / 8000).any()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": 8000.0}, "rate"),
        ({"rate": 10**6}, "rate"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 10**6}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"offset": -1}, "offset"),
        ({"offset": "1"}, "offset"),
    ],
)
def test_options_that_make_no_sense(options, name):
    with pytest.raises(ParameterError, match=f"option '{name}' is") as caught:
        View(**options)
    assert "\n" not in str(caught.value)
