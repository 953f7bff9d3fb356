"""Toy datasets for the formats' tests."""

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.split import Split

CLASSES = ("cat", "dog", "T-shirt/top")


def toy(n=12, shape=(3, 5, 4), classes=CLASSES, seed=0, index=None) -> Dataset:
    """Random pixels; every class occurs."""
    draw = torch.Generator().manual_seed(seed)
    samples = torch.randint(0, 256, (n, *shape), generator=draw, dtype=torch.uint8)
    labels = torch.arange(n) % len(classes)
    index = torch.arange(n) if index is None else torch.tensor(index)
    return Dataset(samples, labels, index, tuple(classes))


def split_of(modality, files, step=1) -> Split:
    """Files of two classes in turn; each ``step`` higher in index."""
    rows = np.arange(len(files))
    return Split(
        modality=modality,
        where="x",
        classes=("a", "b"),
        labels=rows % 2,
        index=step * rows,
        stream=lambda: (("x", data) for data in files),
        files=[],
    )


def equal(one: Dataset, other: Dataset) -> bool:
    """Whether all four columns agree."""
    return (
        one.classes == other.classes
        and torch.equal(one.samples, other.samples)
        and torch.equal(one.labels, other.labels)
        and torch.equal(one.index, other.index)
    )


_NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@st.composite
def datasets(draw, channels=(1, 3), sparse_index=True, names=_NAME, square=None) -> Dataset:
    """Small datasets with odd class names, missing classes and an ascending index."""
    n = draw(st.integers(1, 8))
    side = st.integers(1, 6)
    height, width = (square, square) if square else (draw(side), draw(side))
    shape = (n, draw(st.sampled_from(channels)), height, width)
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)
    classes = tuple(draw(st.lists(names, min_size=2, max_size=4, unique=True)))
    labels = draw(st.lists(st.integers(0, len(classes) - 1), min_size=n, max_size=n))
    index = list(range(n))
    if sparse_index:
        numbers = st.integers(0, 10**9)
        index = sorted(draw(st.lists(numbers, min_size=n, max_size=n, unique=True)))
    return Dataset(torch.from_numpy(pixels), torch.tensor(labels), torch.tensor(index), classes)


def save(path, shape=(4, 4, 3), value=7, suffix=None):
    """An image file of one value; ``suffix`` is Pillow's name of the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path, suffix)
