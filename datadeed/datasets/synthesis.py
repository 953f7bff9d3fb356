"""Spoken digits, synthesised: many voices, speeds and pitches, the same bytes every time.

eSpeak NG speaks the ten English words; a voice is an accent with a variant. The variants are
divided between training and test by a digest of their names, those that differ by a number only
going together, so that test speakers are never heard in training. A word starts anywhere in its
clip, over white noise.

The bytes are the same in every process with the same versions of espeakng-loader, NumPy and SciPy
on the same kind of machine. The first rows are the same however many follow.
"""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch

from datadeed.datasets import espeak
from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.columns import column
from datadeed.datasets.form.dataset import Form
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.resampling import resample
from datadeed.errors import FetchError
from datadeed.randomness import derive_seed

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASSES = tuple(map(str, range(len(WORDS))))
ACCENTS = (
    *("en", "en-029", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp"),
    *("en-us", "en-us-nyc"),
)
_UNSTABLE = ("fast",)  # its own file says so
_TEST = 5  # one family of variants in so many is for testing
_SEED = 20231122
_QUIET = 0.02  # of the peak: below it a word has not begun, or has ended
_MARGIN = espeak.RATE // 200  # frames kept before and after it


class Utterance(NamedTuple):
    """What to speak and how; the last four in the library's units.

    Attributes:
        text: English.
        voice: accent and variant.
        speed: words a minute.
        volume, pitch, range: 0 to 100.
    """

    text: str
    voice: str
    speed: int
    volume: int
    pitch: int
    range: int


def spoken_digits(split: str, per_class: int, *, seconds: float, rate: int) -> Blocks:
    """Clips of the ten digits in turn; each row is another voice, drawn anew.

    Args:
        split: "train" or "test".
        per_class: how many of each digit.
        seconds: how long a clip is; a longer word is cut.
        rate: in Hz.

    Raises:
        FetchError: the synthesiser is not installed; while iterating: it failed.
    """
    rows, voices = per_class * len(WORDS), variants(_engine()[1], split)
    length = round(seconds * rate)
    return Blocks(rows, _blocks(split, rows, voices, length, rate))


def _blocks(
    split: str, rows: int, voices: Sequence[str], length: int, rate: int
) -> Iterator[Clips]:
    speech = speak([_utterance(split, row, voices) for row in range(rows)])
    step = column(Form("audio", (length,), rate)).rows
    for start in range(0, rows, step):
        part = range(start, min(start + step, rows))
        samples = np.stack([_clip(split, row, next(speech), length, rate) for row in part])
        index = torch.tensor(part)
        yield Clips(torch.from_numpy(samples), index % len(WORDS), index, CLASSES, rate)


def variants(data: Path, split: str) -> list[str]:
    """The names of a split's variants, in order.

    Args:
        data: the folder ``espeak-ng-data``.
        split: "train" or "test".
    """
    names = sorted(file.name for file in (data / "voices" / "!v").iterdir())
    return [name for name in names if name not in _UNSTABLE and _is_test(name) == (split == "test")]


def _is_test(variant: str) -> bool:
    family = re.sub("[0-9]+$", "", variant.lower())
    return hashlib.sha256(family.encode()).digest()[0] % _TEST == 0


def _draw(purpose: str, split: str, row: int) -> np.random.Generator:
    return np.random.default_rng(derive_seed(_SEED, "spoken digits", purpose, split, row))


def _utterance(split: str, row: int, voices: Sequence[str]) -> Utterance:
    draw = _draw("voice", split, row)
    accent = ACCENTS[int(draw.integers(len(ACCENTS)))]
    variant = voices[int(draw.integers(len(voices)))]
    speed, volume, pitch, span = draw.integers((120, 30, 25, 25), (211, 86, 76, 76)).tolist()
    return Utterance(WORDS[row % len(WORDS)], f"{accent}+{variant}", speed, volume, pitch, span)


def _clip(split: str, row: int, speech: np.ndarray, length: int, rate: int) -> np.ndarray:
    """The word somewhere in (length,) int16, over noise 20 to 40 dB below it."""
    draw = _draw("place", split, row)
    word = resample(_trimmed(speech).astype(np.float64), espeak.RATE, rate)[:length]
    start = int(draw.integers(length - len(word) + 1))
    level = float(np.sqrt(np.mean(word**2))) * 10 ** (-draw.uniform(20, 40) / 20)
    samples = level * draw.standard_normal(length)
    samples[start : start + len(word)] += word
    return np.clip(np.rint(samples), -(2**15), 2**15 - 1).astype(np.int16)


def _trimmed(speech: np.ndarray) -> np.ndarray:
    """A word without the silence around it."""
    loud = np.flatnonzero(
        np.abs(speech.astype(np.int32)) > _QUIET * np.abs(speech, dtype=int).max()
    )
    return speech[max(0, loud[0] - _MARGIN) : loud[-1] + 1 + _MARGIN]


def speak(utterances: Sequence[Utterance]) -> Iterator[np.ndarray]:
    """Speak, one after the other, in a process of its own.

    Yields:
        (n,) int16 at :data:`espeak.RATE` Hz.

    Raises:
        FetchError: the synthesiser is not installed, fails or says nothing.
    """
    library, data = _engine()
    with tempfile.TemporaryFile() as requests, tempfile.TemporaryFile() as errors:
        for utterance in utterances:
            requests.write(json.dumps(utterance._asdict()).encode() + b"\n")
        requests.seek(0)
        with subprocess.Popen(
            [sys.executable, "-I", "-S", espeak.__file__, library],
            stdin=requests,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=data.parent,
            env={**os.environ, "LC_ALL": "C"},
        ) as process:
            try:
                for utterance in utterances:
                    yield _answer(process, utterance, errors)
            finally:
                process.kill()


def _answer(
    process: subprocess.Popen[bytes], utterance: Utterance, errors: IO[bytes]
) -> np.ndarray:
    assert process.stdout is not None  # a pipe was asked for
    head = process.stdout.read(4)
    size = int.from_bytes(head, "little")
    data = process.stdout.read(size)
    whole = len(head) == 4 and len(data) == size
    samples = np.frombuffer(data if whole else b"", dtype="<i2")
    if not samples.any():
        what = "gave silence" if whole else f"ended with status {process.wait()}"
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise FetchError(
            f"eSpeak NG {what} at {utterance.text!r} in voice {utterance.voice!r} "
            f"({lines[-1][:120]}): reinstall espeakng-loader"
        )
    return samples


def _engine() -> tuple[str, Path]:
    """The library and its folder of data.

    Raises:
        FetchError: they are not installed.
    """
    found = importlib.util.find_spec("espeakng_loader")
    if found is None:
        raise FetchError(
            "spoken digits are synthesised, and espeakng-loader is not installed: install the "
            "extra 'audio' (pip install 'datadeed[audio]')"
        )
    import espeakng_loader

    return espeakng_loader.get_library_path(), Path(espeakng_loader.get_data_path())
