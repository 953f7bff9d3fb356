"""EMNIST's letters, from a local folder: handwritten ones, auxiliary images for models of digits.

The publisher has one archive of 535 MB with all of its splits, and so has torchvision: it is not
downloaded. Of its ``gzip/`` four files are read, packed or not:
``emnist-letters-{train,test}-{images-idx3,labels-idx1}-ubyte``. Images lie there on their side, and
are turned. A class is a letter in both cases; it is left out if either looks like a digit.
"""

import functools
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import idx
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.images import array_blocks
from datadeed.datasets.places import COMMON, Place, Request, Splits, first
from datadeed.datasets.sources.letters import LETTERS
from datadeed.errors import DatasetError

OPTIONS = COMMON
ALPHABET = "abcdefghijklmnopqrstuvwxyz"  # labels 1 to 26
KEPT = [letter for letter in ALPHABET if {letter, letter.upper()} <= set(LETTERS)]
FOLDERS = ("emnist", "emnist/gzip", "EMNIST/raw", "EMNIST/raw/gzip", "gzip")
KINDS = {"images": "idx3", "labels": "idx1"}


def open_source(request: Request) -> Splits:
    """Both splits: the letters that look like no digit, upright, (1, 28, 28) without ``size``.

    Raises:
        FetchError: no folder has the four files, or those there are damaged; the line says so.
    """
    places: list[Place] = [
        (str(path), functools.partial(_splits, path, request))
        for path in request.candidates(*FOLDERS)
        if _file(path, "train", "images")
    ]
    return first("emnist (emnist-letters-train-images-idx3-ubyte and its three sisters)", places)


def _file(folder: Path, split: str, kind: str) -> Path | None:
    name = f"emnist-letters-{split}-{kind}-{KINDS[kind]}-ubyte"
    found = [folder / f"{name}.gz", folder / name]
    return next((file for file in found if file.is_file()), None)


def _splits(folder: Path, request: Request) -> Splits:
    return {split: _split(folder, split, request.size) for split in ("train", "test")}


def _split(folder: Path, split: str, size: int | None) -> Blocks:
    arrays = []
    for kind in KINDS:
        if (file := _file(folder, split, kind)) is None:
            raise DatasetError(f"{folder} lacks the {split} {kind} of emnist-letters")
        arrays.append(idx.read_array(file, kind))
    pixels, labels = arrays
    if len(pixels) != len(labels) or not np.isin(labels, range(1, 1 + len(ALPHABET))).all():
        raise DatasetError(
            f"{folder} has {len(pixels)} {split} images and {len(labels)} labels, or labels other "
            "than 1 to 26: fetch emnist-letters again"
        )
    new = np.array([KEPT.index(a) if a in KEPT else -1 for a in ALPHABET])[labels - 1]
    rows = np.flatnonzero(new >= 0)
    upright = pixels[rows].transpose(0, 2, 1)[..., None]
    columns = (new[rows], rows, tuple(f"letter {letter}" for letter in KEPT))
    return Blocks(len(rows), array_blocks(upright, *columns, size=size))
