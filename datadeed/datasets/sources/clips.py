"""Sources of spoken digits: synthesised here, or recordings in a local folder.

A recording's file is named ``{digit}_{speaker}_{take}.wav``. Neither publisher's folder has splits:
AudioMNIST is split by speaker, as its authors do; the Free Spoken Digit Dataset, of six speakers,
by take, as its authors do, so there the test speakers are heard in training.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import parquet_audio, wavfolder
from datadeed.datasets.formats.clips import ClipBlocks, View
from datadeed.datasets.formats.images import Item
from datadeed.datasets.sources.request import Place, Request, Source, Splits, first
from datadeed.datasets.synthesis import spoken_digits
from datadeed.errors import DatasetError, ParameterError

# The first of the five published folds; its validation speakers are trained on here.
AUDIOMNIST_TEST = frozenset({5, 13, 18, 22, 26, 32, 33, 42, 45, 51, 52, 60})
FSDD_TEST = range(5)  # takes
TRAIN_PER_CLASS, TEST_PER_CLASS = 600, 100
_VIEW = frozenset({"rate", "seconds", "offset"})
_MOST = 100_000


def _view(request: Request) -> View:
    return View(**{name: request.options[name] for name in _VIEW & set(request.options)})


def _recordings(
    request: Request, title: str, names: tuple[str, ...], is_test: Callable[[str, int], bool]
) -> Splits:
    """Both splits of recordings, from the first local folder that has them.

    Args:
        request: what is asked for.
        title: the source's name.
        names: what its folder may be called.
        is_test: whether the recording of a speaker (as in the file name) and take is for testing.
    """
    view, places = _view(request), list[Place]()
    for path in request.candidates(*names):
        if parquet_audio.matches(path):
            places.append((str(path), functools.partial(_splits, parquet_audio, path, view)))
        elif (path / "train").is_dir():
            places.append((str(path), functools.partial(_splits, wavfolder, path, view)))
        elif wavfolder.matches(path):
            places.append((str(path), functools.partial(_divided, path, view, is_test)))
    return first(title, places)


def _splits(module: Any, path: Path, view: View) -> Splits:
    options = {name: getattr(view, name) for name in _VIEW}
    return {name: module.chunks(path, split=name, **options) for name in ("train", "test")}


def _divided(path: Path, view: View, is_test: Callable[[str, int], bool]) -> Splits:
    """Files without splits, divided by what their names say."""
    found = wavfolder.listing(path, classes="name")
    held = np.array([is_test(*wavfolder.fields(file)[1:]) for file in found.files])
    if held.all() or not held.any():
        raise DatasetError(
            f"{path} has {held.sum()} of {len(held)} recordings for testing: it is not whole"
        )
    splits: Splits = {}
    for name, rows in (("train", np.flatnonzero(~held)), ("test", np.flatnonzero(held))):
        items = [
            Item(file, Path(file), int(found.labels[row]), int(found.numbers[row]))
            for row in rows
            for file in [found.files[row]]
        ]
        splits[name] = ClipBlocks(len(rows), items, found.classes, view)
    return splits


def _fsdd(request: Request) -> Splits:
    names = ("fsdd", "free-spoken-digit-dataset")
    return _recordings(request, "fsdd", names, lambda speaker, take: take in FSDD_TEST)


def _audiomnist(request: Request) -> Splits:
    def is_test(speaker: str, take: int) -> bool:
        return speaker.isdecimal() and int(speaker) in AUDIOMNIST_TEST

    return _recordings(request, "audiomnist", ("audiomnist", "AudioMNIST"), is_test)


def _spoken_digits(request: Request) -> Splits:
    view, counts = _view(request), {}
    for name, usual in (("train", TRAIN_PER_CLASS), ("test", TEST_PER_CLASS)):
        count = request.options.get(f"{name}_per_class", usual)
        if type(count) is not int or not 1 <= count <= _MOST:
            raise ParameterError(
                f"option '{name}_per_class' is {count!r}: give a whole number from 1 to {_MOST}"
            )
        counts[name] = count
    return {
        name: spoken_digits(name, count, seconds=view.seconds, rate=view.rate)
        for name, count in counts.items()
    }


_LOCAL = _VIEW | {"path"}
CLIP_SOURCES: dict[str, Source] = {
    "spoken-digits": Source(
        _spoken_digits, frozenset({"rate", "seconds", "train_per_class", "test_per_class"})
    ),
    "audiomnist": Source(_audiomnist, _LOCAL),
    "fsdd": Source(_fsdd, _LOCAL),
}
