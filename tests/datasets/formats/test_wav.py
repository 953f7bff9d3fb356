import contextlib
import io
import struct
import tracemalloc
import wave

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.io import wavfile

from datadeed.datasets.formats import wav
from datadeed.errors import DatasetError
from tests.datasets.formats.wav_toys import (
    KINDS,
    chunk,
    layout,
    noise,
    scale,
    sounds,
    stored,
    wav_bytes,
)

WHOLE = wav_bytes(noise(50, 2))


@pytest.fixture(autouse=True, scope="module")
def small_parts():
    """Several parts in a file of a few frames."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wav, "_PART", 7)
        yield


@given(sounds())
def test_what_was_written_is_read_and_encoded_again_to_the_same_bytes(sound):
    data, frames, kind, rate = sound
    form = wav.read_form("x", data)
    assert (form.rate, form.channels, form.frames, form.kind) == (rate, *frames.shape[::-1], kind)
    assert form.full_scale == scale(kind)
    read = wav.read_frames("x", data, form)
    assert read.dtype == form.dtype == frames.dtype
    assert np.array_equal(read, frames)
    size = len(stored(frames, kind))
    assert wav.encode("x", read, form) == data[form.start : form.start + size]


@given(sounds(), st.integers(0, 70), st.integers(0, 70))
def test_any_part_of_a_file_can_be_read(sound, first, count):
    data, frames, *_ = sound
    read = wav.read_frames("x", data, wav.read_form("x", data), first, count)
    assert np.array_equal(read, frames[first : first + count])


@pytest.mark.parametrize("kind", ["u1", "<i2", "<i4", "<f4", "<f8"])
def test_other_readers_agree(kind):
    data = wav_bytes(noise(40, 2, kind), kind, 11025)
    rate, theirs = wavfile.read(io.BytesIO(data))
    form = wav.read_form("x", data)
    ours = wav.read_frames("x", data, form)
    assert rate == form.rate
    assert np.array_equal(ours + 128 if kind == "u1" else ours, theirs)


def test_other_readers_read_what_is_written():
    samples = noise(33)[:, 0]
    with wave.open(io.BytesIO(wav.encode_wav(samples, 16000))) as file:
        assert file.getparams()[:4] == (1, 2, 16000, 33)
        assert file.readframes(33) == samples.tobytes()


def test_a_path_is_read_as_bytes_are(tmp_path):
    (tmp_path / "x.wav").write_bytes(WHOLE)
    form = wav.read_form("x", tmp_path / "x.wav")
    assert form == wav.read_form("x", WHOLE)
    read = wav.read_frames("x", tmp_path / "x.wav", form, 3, 4)
    assert np.array_equal(read, noise(50, 2)[3:7])
    (tmp_path / "x.wav").write_bytes(WHOLE[:100])
    with pytest.raises(DatasetError, match="it became shorter"):
        wav.read_frames("x", tmp_path / "x.wav", form)


@given(sounds())
def test_sound_is_replaced_and_nothing_else(tmp_path_factory, sound):
    data, frames, *_ = sound
    path, form = tmp_path_factory.mktemp("wav") / "x.wav", wav.read_form("x", data)
    path.write_bytes(data)
    new = frames[::-1].copy()
    wav.write_frames("x", path, new, form)
    again, stop = path.read_bytes(), form.start + form.frames * form.frame_bytes
    assert (again[: form.start], again[stop:]) == (data[: form.start], data[stop:])
    assert np.array_equal(wav.read_frames("x", again, form), new)


@pytest.mark.parametrize("kind", KINDS)
def test_an_hour_is_in_memory_once(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(wav, "_PART", 2**10)
    data = bytes(2**20)
    head = layout(kind, 2, 8000)
    (tmp_path / "x.wav").write_bytes(b"RIFF\0\0\0\0WAVE" + head + chunk(b"data", data))
    form = wav.read_form("x", tmp_path / "x.wav")
    tracemalloc.start()
    frames = wav.read_frames("x", tmp_path / "x.wav", form)
    read = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    wav.write_frames("x", tmp_path / "x.wav", frames, form)
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(read, written) < frames.nbytes + 2**18


def test_a_size_that_was_never_filled_in_means_the_rest_of_the_file():
    data = bytearray(WHOLE)
    data[40:44] = b"\xff" * 4
    assert wav.read_form("x", bytes(data)).frames == 50


LEFT_OPEN = (0, 0x7FFF0000, 0x7FFFF000, 2**31 - 37, 2**31 - 1, 2**31, 2**32 - 1)


def piped(data, declared):
    """A plain file as a program leaves it that wrote into a pipe: neither size is true."""
    whole = struct.pack("<I", min(2**32 - 1, declared + 36))
    return data[:4] + whole + data[8:40] + struct.pack("<I", declared) + data[44:]


@given(st.sampled_from(LEFT_OPEN) | st.integers(0x7FFF0000, 2**32 - 1), st.sampled_from(KINDS))
def test_sizes_that_were_left_open_mean_the_rest_of_the_file(declared, kind):
    frames = noise(20, 2, kind)
    data = piped(wav_bytes(frames, kind), declared)
    assert np.array_equal(wav.read_frames("x", data, wav.read_form("x", data)), frames)


@pytest.mark.parametrize("whole", [0, 44, 2**32 - 1])
def test_the_sizes_of_a_file_and_of_its_sound_may_be_left_open_one_by_one(whole):
    data = WHOLE[:4] + struct.pack("<I", whole) + WHOLE[8:]
    assert wav.read_form("x", data).frames == 50


@given(st.integers(201, 0x7FFEFFFF))
def test_a_size_that_nobody_leaves_means_that_the_end_is_missing(declared):
    with pytest.raises(DatasetError, match=f"declares {declared} bytes of sound and holds 200"):
        wav.read_form("x", piped(WHOLE, declared))


ODD = (b"", b"abc", b"\0" * 5, b"INFOabcdefghi")


@given(
    st.lists(st.sampled_from(ODD), min_size=1, max_size=3),
    st.sampled_from([b"", b"\0", b"x"]),
    st.sampled_from([b"LIST", b"fact", b"fmt2"]),
    st.integers(1, 300),
)
def test_padding_after_an_odd_part_may_be_missing(contents, pad, name, count):
    assume(pad != b"x" or name in wav._USUAL)  # "xfmt2" may as well be a part "xfmt"
    parts = (name + struct.pack("<I", len(c)) + c + pad * (len(c) % 2) for c in contents)
    data = wav_bytes(noise(count), before=b"".join(parts))
    form = wav.read_form("x", data)
    assert np.array_equal(wav.read_frames("x", data, form), noise(count))


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(
    ("kind", "bits"),
    [("u1", 6), ("<i2", 12), ("<i2", 9), ("<i3", 20), ("<i4", 20), ("<i4", 24), ("<i4", 12)],
)
def test_fewer_bits_than_their_container_stand_in_the_upper_ones(kind, bits, extensible):
    step = 2 ** (8 * int(kind[-1]) - bits)
    frames = noise(40, 2, kind) // step * step
    data = bytearray(wav_bytes(frames, kind, extensible=extensible))
    data[34:36] = struct.pack("<H", bits)
    form = wav.read_form("x", bytes(data))
    assert (form.kind, form.full_scale) == (kind, scale(kind))
    assert np.array_equal(wav.read_frames("x", bytes(data), form), frames)


def test_a_frame_cut_in_two_is_left_out():
    head = layout("<i2", 2, 8000)
    data = b"RIFF\0\0\0\0WAVE" + head + chunk(b"data", bytes(11))
    assert wav.read_form("x", data).frames == 2


@pytest.mark.parametrize("kind", ["u1", "<i3"])
def test_values_that_do_not_fit_are_refused(kind):
    form = wav.read_form("x", wav_bytes(noise(5, 1, kind), kind))
    for value in (form.full_scale, -form.full_scale - 1):
        with pytest.raises(DatasetError, match=r"x stores .* bits, but got values from"):
            wav.encode("x", np.full((5, 1), value, form.dtype), form)


def changed(at, data):
    return WHOLE[:at] + data + WHOLE[at + len(data) :]


TAGS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 0x55: "MP3", 0x1234: "format 0x1234"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"hello", "no RIFF header"),
        (b"RIFF\0\0\0\0AVI ", "no RIFF header"),
        (b"fLaC" + bytes(40), "is FLAC, not WAV"),
        (b"ID3\x04" + bytes(40), "is MP3, not WAV"),
        (b"RF64" + WHOLE[4:], "is RF64, not WAV"),
        (WHOLE[:12], "no sound in it"),
        (WHOLE[:30], "its format is cut short"),
        (WHOLE[:36], "no sound in it"),
        (WHOLE[:44], "declares 200 bytes of sound and holds 0"),
        (WHOLE[:-1], "declares 200 bytes of sound and holds 199"),
        (changed(40, b"\xfe\xff\xff\xff"), "declares 4294967294 bytes of sound and holds 200"),
        (changed(40, bytes(4)), "no sound in it"),
        (changed(22, b"\0\0"), "declares 0 channels"),
        (changed(22, b"\xff\xff"), "declares 65535 channels"),
        (changed(24, bytes(4)), "channels at 0 Hz"),
        (changed(24, b"\xff\xff\xff\xff"), "channels at 4294967295 Hz"),
        (changed(32, b"\0\0"), "declares 0 bytes for 2 x 16 bits"),
        (changed(34, b"\x08\0"), "PCM of 8 bits in 2 bytes: convert"),
        (changed(34, b"\x11\0"), "declares 4 bytes for 2 x 17 bits"),
        (changed(20, b"\x03"), "float of 16 bits in 2 bytes: convert"),
        (WHOLE[:12] + WHOLE[36:], "sound before its format"),
        (WHOLE[:12] + chunk(b"junk", b"") * 2000, "more than 1000 parts"),
        (WHOLE[:12] + chunk(b"fmt ", struct.pack("<2H2I2H", 0xFFFE, 1, 8000, 0, 2, 16)), "is cut"),
        *((changed(20, struct.pack("<H", tag)), f"holds {name}") for tag, name in TAGS.items()),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(data, words, tmp_path):
    (tmp_path / "bad.wav").write_bytes(data)
    for source in (data, tmp_path / "bad.wav"):
        with pytest.raises(DatasetError, match=words) as caught:
            wav.read_form("some/bad.wav", source)
        assert str(caught.value).startswith("some/bad.wav ")
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.wav is not a whole WAV file"):
        wav.read_form("gone.wav", tmp_path / "gone.wav")


@given(st.binary(max_size=80), st.integers(0, len(WHOLE)))
def test_damage_gives_a_line_and_takes_no_memory(damage, at):
    data = changed(at, damage)
    tracemalloc.start()
    with contextlib.suppress(DatasetError):
        read = wav.read_frames("x", data, wav.read_form("x", data))
        assert read.nbytes <= 3 * len(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_every_kind_is_tested():
    assert {kind for kind, *_ in wav._KINDS.values()} == set(KINDS)
