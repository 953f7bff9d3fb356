"""Caltech-256, from a local folder."""

import functools
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import imagefolder
from datadeed.datasets.formats.images import file_blocks
from datadeed.datasets.places import COMMON, Place, Request, Splits, first

OPTIONS = COMMON
_INNER = "256_ObjectCategories"


def open_source(request: Request) -> Splits:
    """Both splits, in colour."""
    found = request.candidates(f"caltech-256/{_INNER}", _INNER, "caltech-256")
    places: list[Place] = [
        (str(path), functools.partial(_every_fifth, path, request))
        for path in found
        if imagefolder.matches(path)
    ]
    return first("caltech-256", places)


def _every_fifth(path: Path, request: Request) -> Splits:
    """Every fifth image of a class, by name, for testing; the rest for training."""
    found = imagefolder.open_split(path)
    files = [str(file) for file in found.files]
    place = np.empty(len(found), dtype=np.int64)
    for label in range(len(found.classes)):
        rows = np.flatnonzero(found.labels == label)
        place[rows[np.argsort([files[row] for row in rows])]] = np.arange(len(rows))
    return {
        name: file_blocks(found.take(np.flatnonzero(held)), channels=3, size=request.size)
        for name, held in (("train", place % 5 != 4), ("test", place % 5 == 4))
    }
