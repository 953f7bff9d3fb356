"""Texts in blocks of 8192."""

from collections.abc import Iterator

import numpy as np
import torch

from datadeed.datasets.form import columns
from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.split import Split


def blocks(split: Split) -> Blocks:
    """A split of texts in blocks."""
    stream = (text for _, text in split.stream())
    return Blocks(len(split), text_blocks(stream, split.labels, split.index, split.classes))


def text_blocks(
    stream: Iterator[str], labels: np.ndarray, index: np.ndarray, classes: tuple[str, ...]
) -> Iterator[Texts]:
    """Blocks of 8192 texts, with their (N,) int64 labels and index."""
    size = columns.TEXTS_A_GROUP
    for start in range(0, len(labels), size):
        part = slice(start, start + size)
        samples = [next(stream) for _ in labels[part]]
        yield Texts(samples, torch.from_numpy(labels[part]), torch.from_numpy(index[part]), classes)
