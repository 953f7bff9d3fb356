import contextlib
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import flac, sound
from datadeed.errors import DatasetError
from tests.datasets.formats.wav_toys import flac_bytes, flac_part, noise, scale, wav_bytes

KINDS = ("u1", "<i2", "<i3")
PARTS = [b"", flac_part(2, b"ours" * 9), flac_part(1, bytes(50))]
WHOLE = flac_bytes(noise(5000, 2))


@st.composite
def flacs(draw):
    """A file's bytes and what is in it: frames, kind, rate."""
    kind, rate = draw(st.sampled_from(KINDS)), draw(st.sampled_from([8000, 22050, 48000]))
    frames = noise(
        draw(st.integers(1, 9000)), draw(st.integers(1, 3)), kind, draw(st.integers(0, 9))
    )
    return flac_bytes(frames, kind, rate, draw(st.sampled_from(PARTS))), frames, kind, rate


@given(flacs(), st.integers(0, 9000), st.integers(0, 9000))
@settings(max_examples=40)
def test_frames_are_read_exactly_and_in_any_part(made, first, count):
    data, frames, kind, rate = made
    form = sound.read_form("x", data)
    assert (form.rate, form.channels, form.frames, form.kind) == (rate, *frames.shape[::-1], kind)
    assert form.full_scale == scale(kind)
    read = sound.read_frames("x", data, form)
    assert read.dtype == form.dtype == frames.dtype
    assert np.array_equal(read, frames)
    part = sound.read_frames("x", data, form, first, count)
    assert np.array_equal(part, frames[first : first + count])


@given(flacs())
@settings(max_examples=30)
def test_new_frames_stand_among_the_other_parts(made):
    data, frames, *_ = made
    form, new = flac.read_form("x", data), frames[::-1].copy()
    again = flac.encode("x", data, new, form)
    assert flac.read_form("x", again) == form
    assert np.array_equal(flac.read_frames("x", again, form), new)
    kept = [part for kind, part in flac._blocks("x", data)[1:-1]]
    there = [part for kind, part in flac._blocks("x", again)[1:-1]]
    bare = [part[1:] for part in kept]
    assert [part[1:] for part in there] == bare
    assert flac.encode("x", again, frames, form) == flac.encode("x", data, frames, form)


def test_a_table_of_places_is_left_out_and_the_last_part_is_said_to_be_the_last():
    data = WHOLE[:42] + flac_part(3, bytes(18)) + WHOLE[42:]
    form = flac.read_form("x", data)
    again = flac.encode("x", data, noise(5000, 2), form)
    assert 3 not in [kind for kind, _ in flac._blocks("x", again)]
    read, rate = soundfile.read(io.BytesIO(again), dtype="int16")
    assert rate == 8000
    assert np.array_equal(read, noise(5000, 2))
    bare = WHOLE[:4] + bytes([0x80]) + WHOLE[5:42] + flac._blocks("x", WHOLE)[-1][1]
    assert flac.encode("x", bare, noise(5000, 2), form)[4] == 0x80


def test_a_path_is_read_as_bytes_are_whatever_its_suffix(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(WHOLE)
    form = sound.read_form("x", path)
    assert np.array_equal(sound.read_frames("x", path, form, 7, 9), noise(5000, 2)[7:16])
    path.write_bytes(wav_bytes(noise(5)))
    assert sound.read_form("x", path).frames == 5
    with pytest.raises(DatasetError, match="gone is not a whole WAV file"):
        sound.read_form("gone", tmp_path / "gone")


def changed(at, data):
    return WHOLE[:at] + data + WHOLE[at + len(data) :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"fLaC", "its header is cut short"),
        (WHOLE[:41], "its header is cut short"),
        (changed(4, b"\1"), "its header is cut short"),
        (changed(18, bytes(3)), "channels at 0 Hz"),
        (changed(20, b"\2\x30"), "holds FLAC of 4 bits: convert"),
        (changed(20, b"\3\x30"), "holds FLAC of 20 bits: convert"),
        (changed(22, bytes(4)), "does not say how long it is"),
        (WHOLE[:9000], "is not a whole FLAC file"),
        (changed(9000, b"\xff" * 9), "is not a whole FLAC file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(data, words):
    with pytest.raises(DatasetError, match=words) as caught:
        sound.read_frames("some/x.flac", data, sound.read_form("some/x.flac", data))
    assert str(caught.value).startswith("some/x.flac ")
    assert "\n" not in str(caught.value)


@given(st.binary(min_size=1, max_size=60), st.integers(0, len(WHOLE)))
@settings(max_examples=200)
def test_damage_gives_a_line(damage, at):
    data = changed(at, damage)
    with contextlib.suppress(DatasetError):
        form = sound.read_form("x", data)
        assert sound.read_frames("x", data, form).shape == (form.frames, form.channels)
    with contextlib.suppress(DatasetError):
        flac.encode("x", data, noise(9), flac.read_form("x", flac_bytes(noise(9))))
