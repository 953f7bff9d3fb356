"""WAV files: their headers, and their frames as they are stored.

Linear PCM of 1 to 32 bits and floating point of 32 or 64, little-endian (RIFF), plain or
extensible. PCM of fewer bits than its container stands in the upper ones: the container is read. A
header is never believed about sizes: what is read is bounded by the file itself.
"""

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from datadeed.errors import DatasetError, reason

RATES = (1000, 384_000)  # Hz
CHANNELS = 32
_CHUNKS = 1000  # a WAV has a handful
_PART = 2**16  # frames that are decoded or encoded at a time
_OPEN = 0x7FFF0000  # programs that cannot go back leave a size from here on (SoX, FFmpeg)
_UNKNOWN = 0xFFFFFFFF
_USUAL = (b"fmt ", b"data", b"LIST", b"fact")  # chunks, of which one may follow an odd one
_EXTENSIBLE = 0xFFFE
_TAGS = {1: "PCM", 3: "float", 2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "ADPCM", 0x55: "MP3"}
# By tag and bytes of a container: its kind, and the fewest and most bits that it may hold.
_KINDS = {(1, 1): ("u1", 1, 8), (1, 2): ("<i2", 9, 16), (1, 3): ("<i3", 9, 24)}
_KINDS |= {(1, 4): ("<i4", 9, 32), (3, 4): ("<f4", 32, 32), (3, 8): ("<f8", 64, 64)}
_OTHERS = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"\xff\xfb": "MP3", b"RIFX": "RIFX"}
_OTHERS |= {b"RF64": "RF64", b"FORM": "AIFF"}


@dataclass(frozen=True)
class WavForm:
    """How a file stores its sound.

    In memory its frames are (frames, channels) of :attr:`dtype` and signed: 8 bits are int16 from
    -128 to 127, 24 bits are int32 from -2**23 to 2**23 - 1.

    Attributes:
        rate: in Hz.
        channels: 1 or more.
        frames: how many the file holds; a frame is one sample of every channel.
        kind: of a stored sample: "u1", "<i2", "<i3", "<i4", "<f4" or "<f8".
        start: where the first frame is, in bytes.
    """

    rate: int
    channels: int
    frames: int
    kind: str
    start: int

    @property
    def width(self) -> int:
        """Bytes of one sample."""
        return int(self.kind[-1])

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.width * self.channels

    @property
    def dtype(self) -> np.dtype:
        """Of frames in memory."""
        return np.dtype({"u1": "<i2", "<i3": "<i4"}.get(self.kind, self.kind))

    @property
    def full_scale(self) -> int:
        """The value in memory that stands for 1.0."""
        return 1 if self.kind[1] == "f" else 2 ** (8 * self.width - 1)


@contextlib.contextmanager
def _opened(name: str, source: bytes | Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file or bytes to read from, and the size; what fails becomes one line."""
    try:
        if isinstance(source, bytes):
            yield io.BytesIO(source), len(source)
        else:
            with source.open("rb") as file:
                yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _damaged(name, reason(error)) from error
    except struct.error as error:
        raise _damaged(name, "its format is cut short") from error


def _damaged(name: str, what: str) -> DatasetError:
    return DatasetError(f"{name} is not a whole WAV file ({what}): remove or replace it")


def read_form(name: str, source: bytes | Path) -> WavForm:
    """Read a header; no sound is read.

    Args:
        name: for messages.
        source: the file's bytes or path.

    Raises:
        DatasetError: it is no WAV file, is compressed, empty or cut short, or its header cannot be
            true.
    """
    with _opened(name, source) as (file, size):
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            other = next((text for magic, text in _OTHERS.items() if head.startswith(magic)), None)
            if other is None:
                raise _damaged(name, "no RIFF header" if head else "it is empty")
            raise DatasetError(f"{name} is {other}, not WAV: convert it to WAV with PCM")
        layout = None
        for chunk, start, length in _chunks(name, file, size):
            if chunk == b"fmt ":
                layout = _layout(name, file.read(min(length, 40)))
            elif chunk == b"data":
                if layout is None:
                    raise _damaged(name, "sound before its format")
                (riff,) = struct.unpack_from("<I", head, 4)
                is_open = _left_open(length, riff + 8, start, size)
                length_here = size - start if is_open else length
                return _with_frames(name, layout, start, length_here, size)
    raise _damaged(name, "no sound in it")


def _chunks(name: str, file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name, start and declared length; its content may be read before the next."""
    at = 12
    for _ in range(_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        chunk, length = struct.unpack("<4sI", head)
        yield chunk, at + 8, length
        at += 8 + length
        if length % 2:
            file.seek(at)
            at += _is_padded(file.read(5))
        if at >= size:
            return
    raise _damaged(name, f"more than {_CHUNKS} parts")


def _is_padded(after: bytes) -> bool:
    """Whether the five bytes after a chunk of odd length begin with padding, which some leave out.

    Padding is 0; where another byte stands a chunk begins, unless a usual one does a byte later.
    """
    return after[1:] in _USUAL or not (
        len(after) == 5 and after[:4].isascii() and after[:4].decode().isprintable()
    )


def _left_open(length: int, whole: int, start: int, size: int) -> bool:
    """Whether a program that wrote into a pipe left a sound's length open, and the whole's."""
    if length == _UNKNOWN:
        return True
    holds = start < whole <= size  # then somebody came back to fill in the sizes
    return not holds and (length == 0 or (length >= _OPEN and length > size - start))


def _layout(name: str, data: bytes) -> WavForm:
    """The form without its frames, from the content of a ``fmt`` chunk."""
    tag, channels, rate, _, frame_bytes, bits = struct.unpack_from("<2H2I2H", data)
    if tag == _EXTENSIBLE:
        (tag,) = struct.unpack_from("<H", data, 24)
    if tag not in (1, 3):
        what = _TAGS.get(tag, f"format {tag:#x}")
        raise _unread(name, f"{what} of {bits} bits")
    if not (RATES[0] <= rate <= RATES[1] and 1 <= channels <= CHANNELS):
        raise _damaged(name, f"it declares {channels} channels at {rate} Hz")
    if frame_bytes % channels or 8 * frame_bytes < channels * bits:
        raise _damaged(name, f"it declares {frame_bytes} bytes for {channels} x {bits} bits")
    kind, least, most = _KINDS.get((tag, frame_bytes // channels), ("", 1, 0))
    if not least <= bits <= most:
        raise _unread(name, f"{_TAGS[tag]} of {bits} bits in {frame_bytes // channels} bytes")
    return WavForm(rate, channels, 0, kind, 0)


def _unread(name: str, what: str) -> DatasetError:
    return DatasetError(f"{name} holds {what}: convert it to PCM of 8, 16, 24 or 32 bits")


def _with_frames(name: str, layout: WavForm, start: int, length: int, size: int) -> WavForm:
    present = size - start
    if length > present:
        raise _damaged(name, f"it declares {length} bytes of sound and holds {present}")
    frames = length // layout.frame_bytes
    if not frames:
        raise _damaged(name, "no sound in it")
    return WavForm(layout.rate, layout.channels, frames, layout.kind, start)


def read_frames(
    name: str, source: bytes | Path, form: WavForm, first: int = 0, count: int | None = None
) -> np.ndarray:
    """Frames as they are stored: (count, channels) of ``form.dtype``, fewer at the file's end.

    Beside them, a part of the file is in memory.

    Args:
        name: for messages.
        source: the file's bytes or path.
        form: what :func:`read_form` found.
        first: the first frame to read.
        count: how many; all that follow if not given.

    Raises:
        DatasetError: the file is shorter than a moment before.
    """
    rest = max(0, form.frames - first)
    count = rest if count is None else min(count, rest)
    frames = np.empty((count, form.channels), form.dtype)
    with _opened(name, source) as (file, _):
        file.seek(form.start + first * form.frame_bytes)
        for part in _parts(frames):
            data = file.read(len(part) * form.frame_bytes)
            if len(data) < len(part) * form.frame_bytes:
                raise _damaged(name, "it became shorter")
            part[:] = decode(data, form)
    return frames


def write_frames(name: str, path: Path, frames: np.ndarray, form: WavForm) -> None:
    """Put frames in the place of a file's own; its other bytes stay.

    Args:
        name: for messages.
        path: the file.
        frames: (frames, channels), as many as the file has.
        form: what :func:`read_form` found.

    Raises:
        DatasetError: as :func:`encode`.
    """
    with path.open("rb+") as file:
        file.seek(form.start)
        for part in _parts(frames):
            file.write(encode(name, part, form))


def _parts(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Views of consecutive frames."""
    return (frames[at : at + _PART] for at in range(0, len(frames), _PART))


def decode(data: bytes, form: WavForm) -> np.ndarray:
    """Stored bytes as (frames, channels) of ``form.dtype``, in memory of their own."""
    if form.kind == "<i3":
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0] >> 8  # the sign is in the highest byte
    elif form.kind == "u1":
        values = np.frombuffer(data, np.uint8).astype("<i2") - 128
    else:
        values = np.frombuffer(data, form.kind).copy()
    return values.reshape(-1, form.channels)


def encode(name: str, frames: np.ndarray, form: WavForm) -> bytes:
    """The bytes that store frames; :func:`decode` reverses it bit for bit.

    Raises:
        DatasetError: a value is out of range, for 8 and 24 bits.
    """
    check_range(name, frames, form)
    values = np.ascontiguousarray(frames, dtype=form.dtype)
    if form.kind == "u1":
        return (values + 128).astype(np.uint8).tobytes()
    if form.kind == "<i3":
        return values.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    return values.tobytes()


def check_range(name: str, frames: np.ndarray, form: WavForm) -> None:
    """Check that a file can store values; only 8 and 24 bits are narrower than in memory.

    Raises:
        DatasetError: a value is out of range.
    """
    low, high = frames.min(initial=0), frames.max(initial=0)
    if form.kind in ("u1", "<i3") and not -form.full_scale <= low <= high < form.full_scale:
        raise DatasetError(
            f"{name} stores {8 * form.width} bits, but got values from {low} to {high}: keep "
            f"them from {-form.full_scale} to {form.full_scale - 1}"
        )


def encode_wav(samples: np.ndarray, rate: int) -> bytes:
    """A whole mono file of 16 bits from (L,) int16."""
    data = samples.astype("<i2").tobytes()
    layout = struct.pack("<4sI2H2I2H", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + layout + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body
