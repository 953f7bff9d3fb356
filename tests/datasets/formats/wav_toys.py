"""WAV and FLAC files of every kind for tests, written without the code under test."""

import io
import struct

import numpy as np
import soundfile
import torch
from hypothesis import strategies as st

from datadeed.datasets.form.clips import Clips

KINDS = ("u1", "<i2", "<i3", "<i4", "<f4", "<f8")
CLASSES = ("no", "yes", "go/stop")


def dtype(kind):
    """Of frames in memory."""
    return {"u1": "<i2", "<i3": "<i4"}.get(kind, kind)


def scale(kind):
    """The value that stands for 1.0."""
    return 1.0 if kind[1] == "f" else 2.0 ** (8 * int(kind[-1]) - 1)


def stored(frames, kind):
    """The bytes of frames."""
    if kind[1] == "f":
        return frames.astype(kind).tobytes()
    shift, signed = (128, False) if kind == "u1" else (0, True)
    width = int(kind[-1])
    return b"".join(
        (value + shift).to_bytes(width, "little", signed=signed)
        for value in frames.ravel().tolist()
    )


def chunk(name, data):
    """A part of a file, with its padding."""
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def layout(kind, channels, rate, tag=None, extensible=False):
    """The part that describes the sound."""
    width = int(kind[-1])
    tag = tag or (3 if kind[1] == "f" else 1)
    head = (channels, rate, rate * channels * width, channels * width, 8 * width)
    if not extensible:
        return chunk(b"fmt ", struct.pack("<2H2I2H", tag, *head))
    rest = struct.pack("<2HIH", 22, 8 * width, 0, tag) + bytes(14)
    return chunk(b"fmt ", struct.pack("<2H2I2H", 0xFFFE, *head) + rest)


def wav_bytes(frames, kind="<i2", rate=8000, before=b"", after=b"", **options):
    """A whole file of (frames, channels)."""
    data = stored(frames, kind)
    parts = layout(kind, frames.shape[1], rate, **options) + before + chunk(b"data", data) + after
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WAVE" + parts


def flac_bytes(frames, kind="<i2", rate=8000, before=b""):
    """A whole FLAC file of (frames, channels), with more parts after its first."""
    stream, width = io.BytesIO(), int(kind[-1])
    wide = frames.astype(np.int32) << (32 - 8 * width)
    subtype = "PCM_S8" if width == 1 else f"PCM_{8 * width}"
    soundfile.write(stream, wide, rate, format="FLAC", subtype=subtype)
    data = stream.getvalue()
    return data[:42] + before + data[42:] if before else data


def flac_part(kind, data):
    """A part of a FLAC file that is not its last."""
    return bytes([kind]) + len(data).to_bytes(3, "big") + data


def noise(count, channels=1, kind="<i2", seed=0):
    """Random frames at all levels, the extremes among them."""
    draw = np.random.default_rng(seed)
    values = draw.uniform(-1, 1, (count, channels))
    values[draw.random((count, channels)) < 0.1] = -1
    return (values * (scale(kind) - (kind[1] != "f"))).astype(dtype(kind))


def clips(n=9, length=40, classes=CLASSES, *, rate=8000, seed=0, index=None) -> Clips:
    """Random clips; every class occurs."""
    draw = torch.Generator().manual_seed(seed)
    samples = torch.randint(-(2**15), 2**15, (n, length), generator=draw).to(torch.int16)
    index = torch.arange(n) if index is None else torch.tensor(index)
    return Clips(samples, torch.arange(n) % len(classes), index, tuple(classes), rate)


def same(one, other):
    """Whether two datasets of clips are equal in all there is."""
    return one.form == other.form and one.digest() == other.digest()


@st.composite
def sounds(draw, kinds=KINDS, most=60):
    """A file's bytes and what is in it: frames, kind, rate."""
    kind = draw(st.sampled_from(kinds))
    count, channels = draw(st.integers(1, most)), draw(st.integers(1, 3))
    rate = draw(st.sampled_from([4000, 8000, 11025, 16000, 44100, 48000]))
    frames = noise(count, channels, kind, draw(st.integers(0, 99)))
    data = wav_bytes(
        frames,
        kind,
        rate,
        before=draw(st.sampled_from([b"", chunk(b"LIST", b"INFOx"), chunk(b"bext", bytes(602))])),
        after=draw(st.sampled_from([b"", chunk(b"id3 ", b"t"), b"trailing bytes"])),
        extensible=draw(st.booleans()),
    )
    return data, frames, kind, rate
