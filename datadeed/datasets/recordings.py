"""Recordings of spoken digits in local folders, named ``{digit}_{speaker}_{take}.wav``."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import parquet_audio, wavfolder
from datadeed.datasets.formats.clips import ClipBlocks, View
from datadeed.datasets.formats.split import Split
from datadeed.datasets.places import Place, Request, Splits, first
from datadeed.errors import DatasetError

VIEW = frozenset({"rate", "seconds", "offset"})


def view_of(request: Request) -> View:
    """What to take of each recording."""
    return View(**{name: request.options[name] for name in VIEW & set(request.options)})


def recordings(
    request: Request, title: str, names: tuple[str, ...], is_test: Callable[[str, int], bool]
) -> Splits:
    """Both splits of recordings, from the first local folder that has them.

    Args:
        request: what is asked for.
        title: the source's name.
        names: what its folder may be called.
        is_test: whether the recording of a speaker (as in the file name) and take is for testing.
    """
    view = view_of(request)

    def splits(path: Path) -> Splits:
        open_split: Callable[[Path, str], Split] = wavfolder.open_split
        if parquet_audio.matches(path):
            open_split = parquet_audio.open_split
        elif not (path / "train").is_dir():
            return _divided(path, view, is_test)
        return {name: ClipBlocks(open_split(path, name), view) for name in ("train", "test")}

    places: list[Place] = [
        (str(path), functools.partial(splits, path))
        for path in request.candidates(*names)
        if parquet_audio.matches(path) or (path / "train").is_dir() or wavfolder.matches(path)
    ]
    return first(title, places)


def _divided(path: Path, view: View, is_test: Callable[[str, int], bool]) -> Splits:
    """Files without splits, divided by what their names say."""
    found = wavfolder.open_split(path, classes="name")
    held = np.array([is_test(*wavfolder.fields(file)[1:]) for file in found.files])
    if held.all() or not held.any():
        raise DatasetError(
            f"{path} has {held.sum()} of {len(held)} recordings for testing: it is not whole"
        )
    return {
        name: ClipBlocks(found.take(np.flatnonzero(rows)), view)
        for name, rows in (("train", ~held), ("test", held))
    }
