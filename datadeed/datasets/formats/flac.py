"""FLAC files: their headers, their frames, and new frames among their own other parts.

Integers of 8, 16 or 24 bits, by libsndfile, which checks the sum of every block that it reads.
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datadeed.datasets.formats.wav import CHANNELS, RATES, WavForm
from datadeed.errors import DatasetError, reason

MAGIC = b"fLaC"
_KINDS = {8: "u1", 16: "<i2", 24: "<i3"}
_SUBTYPES = {"u1": "PCM_S8", "<i2": "PCM_16", "<i3": "PCM_24"}
_STREAM, _SEEK_TABLE = 0, 3  # kinds of metadata blocks
_HEAD = 42  # bytes up to the end of the first block, which describes the stream


def _damaged(name: str, what: str) -> DatasetError:
    return DatasetError(f"{name} is not a whole FLAC file ({what}): remove or replace it")


def read_form(name: str, source: bytes | Path) -> WavForm:
    """Read a header; no sound is read.

    Args:
        name: for messages.
        source: the file's bytes or path.

    Returns:
        How the file stores its sound; frames start at byte 0, that is, nowhere.

    Raises:
        DatasetError: it is no FLAC file, has other bits than 8, 16 or 24, does not say how long it
            is, is cut short, or its header cannot be true.
    """
    head = _start(name, source, _HEAD)
    if len(head) < _HEAD or head[:4] != MAGIC or head[4] & 0x7F != _STREAM:
        raise _damaged(name, "its header is cut short")
    (packed,) = struct.unpack_from(">Q", head, 18)
    rate, channels = packed >> 44, (packed >> 41 & 7) + 1
    bits, frames = (packed >> 36 & 31) + 1, packed & (2**36 - 1)
    if bits not in _KINDS:
        raise DatasetError(f"{name} holds FLAC of {bits} bits: convert it to 16 or 24 bits")
    if not (RATES[0] <= rate <= RATES[1] and channels <= CHANNELS):
        raise _damaged(name, f"it declares {channels} channels at {rate} Hz")
    if not frames:
        raise DatasetError(f"{name} is FLAC that does not say how long it is: encode it again")
    return WavForm(rate, channels, frames, _KINDS[bits], 0)


def _start(name: str, source: bytes | Path, count: int) -> bytes:
    if isinstance(source, bytes):
        return source[:count]
    try:
        with source.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise _damaged(name, reason(error)) from error


def read_frames(
    name: str, source: bytes | Path, form: WavForm, first: int = 0, count: int | None = None
) -> np.ndarray:
    """Frames as of a WAV file (:func:`datadeed.datasets.formats.wav.read_frames`).

    Raises:
        DatasetError: the file is damaged or cut short.
    """
    import soundfile

    rest = max(0, form.frames - first)
    count = rest if count is None else min(count, rest)
    try:
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        with soundfile.SoundFile(opened) as file:
            if (file.frames, file.channels) != (form.frames, form.channels):
                raise _damaged(name, "its header disagrees with its sound")
            file.seek(min(first, form.frames))
            wide = file.read(count, dtype="int32", always_2d=True)
    except (RuntimeError, OSError, MemoryError) as error:  # libsndfile's are of the first kind
        raise _damaged(name, reason(error)) from error
    if len(wide) < count:
        raise _damaged(name, f"it declares {form.frames} frames and holds fewer")
    wide >>= 32 - 8 * form.width
    return wide.astype(form.dtype)


def encode(name: str, like: bytes, frames: np.ndarray, form: WavForm) -> bytes:
    """A file of new frames with the other parts of one: titles, pictures, its encoder's name.

    Its table of places to seek to is left out, as it would be wrong.

    Args:
        name: for messages.
        like: the file.
        frames: (frames, channels) of the form's dtype.
        form: the file's.

    Raises:
        DatasetError: the file's parts are damaged.
    """
    import soundfile

    stream = io.BytesIO()
    wide = frames.astype(np.int32) << (32 - 8 * form.width)
    soundfile.write(stream, wide, form.rate, format="FLAC", subtype=_SUBTYPES[form.kind])
    made = stream.getvalue()
    *_, sound = _blocks(name, made)
    kept = [made[4:_HEAD]]
    for kind, block in _blocks(name, like)[:-1]:
        if kind not in (_STREAM, _SEEK_TABLE):
            kept.append(block)
    flagged = [bytes([block[0] & 0x7F]) + block[1:] for block in kept]
    flagged[-1] = bytes([flagged[-1][0] | 0x80]) + flagged[-1][1:]
    return b"".join([MAGIC, *flagged, sound[1]])


def _blocks(name: str, data: bytes) -> list[tuple[int, bytes]]:
    """Each metadata block's kind and bytes, with their headers; then -1 and the sound's bytes."""

    def found() -> Iterator[tuple[int, bytes]]:
        at, last = 4, False
        while not last:
            if at + 4 > len(data):
                raise _damaged(name, "its parts are cut short")
            stop = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
            yield data[at] & 0x7F, data[at:stop]
            at, last = stop, bool(data[at] & 0x80)
        yield -1, data[at:]

    return list(found())
