"""Sound files of the kinds that are read: WAV and FLAC, told apart by their first bytes."""

from pathlib import Path

import numpy as np

from datadeed.datasets.formats import flac, wav
from datadeed.datasets.formats.wav import WavForm
from datadeed.errors import DatasetError

SUFFIXES = (".wav", ".wave", ".flac")
# Suffixes of sound that is not read. MP3 and the like have no exact values: decoders differ.
UNREAD = (".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff", ".aifc", ".au")


def is_flac(source: bytes | Path) -> bool:
    """Whether a file, as bytes or at a path, is FLAC."""
    if isinstance(source, bytes):
        return source.startswith(flac.MAGIC)
    try:
        with source.open("rb") as file:
            return file.read(4) == flac.MAGIC
    except OSError:
        return False  # the next reader says so


def read_form(name: str, source: bytes | Path) -> WavForm:
    """Arguments and errors as :func:`wav.read_form` and :func:`flac.read_form`."""
    return (flac if is_flac(source) else wav).read_form(name, source)


def read_frames(
    name: str, source: bytes | Path, form: WavForm, first: int = 0, count: int | None = None
) -> np.ndarray:
    """Arguments and errors as :func:`wav.read_frames` and :func:`flac.read_frames`."""
    return (flac if is_flac(source) else wav).read_frames(name, source, form, first, count)


def read_whole(name: str, source: bytes | Path) -> np.ndarray:
    """All frames of a file, as :func:`read_frames` gives them.

    Raises:
        DatasetError: see :func:`read_form` and :func:`read_frames`; or it holds values that are no
            numbers.
    """
    frames = read_frames(name, source, read_form(name, source))
    check_numbers(name, frames)
    return frames


def check_numbers(name: str, frames: np.ndarray) -> None:
    """Check that sound has no NaN and no infinity, which files of floating point can hold.

    Raises:
        DatasetError: it has.
    """
    if frames.dtype.kind == "f" and not np.isfinite(frames).all():
        raise DatasetError(f"{name} holds values that are no numbers: remove or replace it")


def fault(name: str, source: bytes | Path) -> DatasetError | None:
    """What is wrong with a sound file, all of which is read for it; None if nothing is."""
    try:
        read_whole(name, source)
    except DatasetError as error:
        return error
    return None
