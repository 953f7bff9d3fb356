"""Sources, edits and comparisons for the tests of releases."""

import os
from pathlib import Path

import numpy as np
import torch

from datadeed.datasets.formats import registry as formats
from datadeed.owner.release.release import release
from tests.datasets.formats.format_toys import toy
from tests.datasets.formats.writers import write

PLACES = {"imagefolder": "set", "huggingface": "set", "npz": "set.npz"}
OLD = 1_000_000_000  # 2001: a time that no new file has


def source(folder: Path, name: str, n: int = 24) -> Path:
    """A source with two splits in one format, its times in the past."""
    shape = {"idx": (1, 32, 32)}.get(name, (3, 32, 32))
    path = folder / "source" / PLACES.get(name, "set")
    write(toy(n, shape, seed=1), path, format=name, split="train")
    write(toy(5, shape, seed=2), path, format=name, split="test")
    age(path)
    return path


def age(path: Path) -> None:
    """Set the times of a file, or of all files and folders, back."""
    for number, one in enumerate(sorted(path.rglob("*"))):
        os.utime(one, (OLD, OLD + number))
    os.utime(path, (OLD, OLD))


def invert(row: int, pixels: np.ndarray, label: int) -> tuple[np.ndarray, int]:
    """Other pixels, and the next of three classes."""
    return 255 - pixels, (label + 1) % 3


def run(path: Path, out: Path, rows=(1, 4, 23), edit=invert, seed=0, **options):
    """A release of the training split."""
    options = {"split": "train"} | options
    return release(
        path, out, rows=rows, edit=edit, generator=np.random.default_rng(seed), **options
    )


def wanted(path: Path, rows=(1, 4, 23), split="train"):
    """What the release should read as: the source with some rows inverted."""
    data = formats.read(path, split=split)
    samples, labels = data.samples.clone(), data.labels.clone()
    at = torch.tensor(rows)
    samples[at] = 255 - samples[at]
    labels[at] = (labels[at] + 1) % 3
    return data.replace(samples=samples, labels=labels)


def snapshot(path: Path) -> dict[str, bytes]:
    """Every file below a folder, and its bytes."""
    return {
        one.relative_to(path).as_posix(): one.read_bytes()
        for one in sorted(path.rglob("*"))
        if one.is_file()
    }
