"""Which rows of a release carry the marks of a key, whatever their order is."""

from collections import defaultdict
from functools import partial
from typing import Any

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import EvidenceError, KeyRecordError, UnsupportedModality
from datadeed.keys.key import Key
from datadeed.keys.merkle import leaf
from datadeed.owner.check_sketches import LOSSY
from datadeed.owner.data import Progress, Source, named, open_data, open_pool
from datadeed.owner.protect import edits


def marked_rows(
    key: Key,
    source: Source,
    split: str | None,
    data: Dataset,
    progress: Progress,
    *,
    reading: dict[str, Any] | None = None,
) -> np.ndarray:
    """The rows of a release that carry a mark.

    They are found by their pixels and label: names and order may have been drawn anew. Marked
    images that no row holds exactly, since a lossy format changed them, are the nearest ones of
    their label that are none of the source's others.

    Args:
        key: opened.
        source: the data before they were marked.
        split: of both, where there are several.
        data: the release; images.
        progress: is told of the rows that are read.
        reading: of the source, what only its format knows.

    Returns:
        (N,) bool.

    Raises:
        UnsupportedModality: the release holds no images.
        KeyRecordError: the source has another number of rows than the key's.
        EvidenceError: a marked image is not in the release.
    """
    if data.modality != "image":
        raise UnsupportedModality("a key marks images: inspect other data without it")
    marked, others = _as_marked(key, source, split, progress, reading or {})
    pixels = data.samples.permute(0, 2, 3, 1).numpy()
    labels, by_leaf = data.labels.tolist(), defaultdict[bytes, list[int]](list)
    for row, label in enumerate(labels):
        by_leaf[leaf(pixels[row], label)].append(row)
    found = np.zeros(len(data), dtype=bool)
    missing: dict[int, list[np.ndarray]] = defaultdict(list)
    for image, label in marked:
        if same := by_leaf.get(leaf(image, label)):
            found[same.pop()] = True
        else:
            missing[label].append(image)
    free = [row for digest, rows in by_leaf.items() if digest not in others for row in rows]
    for label, images in missing.items():
        own = np.array([row for row in free if labels[row] == label], dtype=np.int64)
        found[own[_nearest(images, pixels[own], named(source))]] = True
    return found


def _as_marked(
    key: Key, source: Source, split: str | None, progress: Progress, reading: dict[str, Any]
) -> tuple[list[tuple[np.ndarray, int]], set[bytes]]:
    """The images that a key marks with their new labels, and the digests of all other rows."""
    before, _ = open_data(source, split, **reading)
    if before.rows != key.data.rows:
        raise KeyRecordError(
            f"{named(source)} has {before.rows} rows, but the key is bound to {key.data.rows}: "
            "name the data that was committed"
        )
    pool = partial(open_pool, None, source=source, split=split, **reading)
    rows, edit = edits(key, before, pool, progress)
    wanted, marked, others = set(rows.tolist()), [], set()
    with progress("mark", before.rows) as advance:
        for row, pixels, label in before:
            if row in wanted:
                marked.append(edit(row, pixels, label) or (pixels, label))
            else:
                others.add(leaf(pixels, label))
            advance(row + 1)
    return marked, others


def _nearest(images: list[np.ndarray], among: np.ndarray, where: str) -> np.ndarray:
    """For each image the place of the nearest of some others, by mean absolute difference."""
    if not len(among):
        raise EvidenceError(f"the release lacks images that the key marks in {where}: give its own")
    wanted = torch.from_numpy(np.stack(images)).flatten(1).float()
    distances = torch.cdist(wanted, torch.from_numpy(among).flatten(1).float(), p=1)
    least = (distances / wanted.shape[1]).min(1)
    if float(least.values.max()) > LOSSY:
        raise EvidenceError(
            f"an image that the key marks in {where} is not in the release: name the data that "
            "was committed, and its own release"
        )
    places: np.ndarray = least.indices.numpy()
    return places
