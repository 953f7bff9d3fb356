"""Which rows of a release carry the marks of a key, whatever their order is."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import EvidenceError, KeyRecordError, UnsupportedModality
from datadeed.keys.key import Key
from datadeed.owner.check_sketches import LOSSY
from datadeed.owner.data import (
    KINDS,
    Progress,
    Source,
    leaf_of,
    named,
    open_data,
    open_pool,
    silent,
)
from datadeed.owner.protect import edits
from datadeed.owner.release.rows import Item
from datadeed.owner.samples import in_memory, modality_of


def marked_rows(
    key: Key,
    source: Source,
    release: Source,
    data: Dataset,
    *,
    split: str | None = None,
    progress: Progress = silent,
    reading: dict[str, Any] | None = None,
) -> np.ndarray:
    """The rows of a release that carry a mark.

    They are found by their sample and label: names and order may have been drawn anew. Marked
    images that no row holds exactly, since a lossy format changed them, are the nearest ones of
    their label that are none of the source's others.

    Args:
        key: opened.
        source: the data before they were marked.
        release: the data as they will be published.
        data: the same, read.
        split: of both, where there are several.
        progress: is told of the rows that are read.
        reading: of both, what only their format knows.

    Returns:
        (N,) bool.

    Raises:
        UnsupportedModality: source or release hold no samples of the key's kind.
        KeyRecordError: the source has another number of rows than the key's.
        EvidenceError: a marked sample is not in the release.
    """
    given = reading or {}
    if data.modality != (own := modality_of(key)):
        raise UnsupportedModality(
            f"the key marks {KINDS[own]}, but {named(release)} holds {KINDS[data.modality]}: "
            "name the release that it marked"
        )
    # A Dataset of sound is cut and resampled, as a model hears it: the files tell more.
    after = in_memory(data) if own == "image" else open_data(release, split, **given)[0]
    leaf, by_leaf = leaf_of(after), defaultdict[bytes, list[int]](list)
    for item in after:
        by_leaf[leaf(item)].append(item.row)
    found, others = np.zeros(len(data), dtype=bool), set[bytes]()
    missing: dict[int, list[Any]] = defaultdict(list)
    for digest, item, is_marked in _as_marked(key, source, split, progress, given):
        if not is_marked:
            others.add(digest)
        elif same := by_leaf.get(digest):
            found[same.pop()] = True
        else:
            missing[item.label].append(item.sample)
    if not missing:
        return found
    if own != "image":
        raise EvidenceError(_not_there(source))
    free = [row for digest, rows in by_leaf.items() if digest not in others for row in rows]
    labels, pixels = data.labels.tolist(), data.samples.permute(0, 2, 3, 1).numpy()
    for label, images in missing.items():
        of_label = np.array([row for row in free if labels[row] == label], dtype=np.int64)
        found[of_label[_nearest(images, pixels[of_label], source)]] = True
    return found


def _as_marked(
    key: Key, source: Source, split: str | None, progress: Progress, reading: dict[str, Any]
) -> Iterator[tuple[bytes, Item, bool]]:
    """Each row of the source as the key releases it: its digest, it, and whether it is marked."""
    before, _ = open_data(source, split, modality=modality_of(key), **reading)
    if before.rows != key.data.rows:
        raise KeyRecordError(
            f"{named(source)} has {before.rows} rows, but the key is bound to {key.data.rows}: "
            "name the data that was committed"
        )
    pool = partial(open_pool, None, source=source, split=split, **reading)
    rows, edit = edits(key, before, pool, progress)
    wanted, leaf = set(rows.tolist()), leaf_of(before)
    with progress("mark", before.rows) as advance:
        for item in before:
            changed = edit(*item) if item.row in wanted else None
            released = item if changed is None else Item(item.row, *changed)
            yield leaf(released), released, item.row in wanted
            advance(item.row + 1)


def _not_there(source: Source) -> str:
    return (
        f"a sample that the key marks in {named(source)} is not in the release: name the data that "
        "was committed, and its own release"
    )


def _nearest(images: list[np.ndarray], among: np.ndarray, source: Source) -> np.ndarray:
    """For each image the place of the nearest of some others, by mean absolute difference."""
    if not len(among):
        raise EvidenceError(_not_there(source))
    wanted = torch.from_numpy(np.stack(images)).flatten(1).float()
    distances = torch.cdist(wanted, torch.from_numpy(among).flatten(1).float(), p=1)
    least = (distances / wanted.shape[1]).min(1)
    if float(least.values.max()) > LOSSY:
        raise EvidenceError(_not_there(source))
    places: np.ndarray = least.indices.numpy()
    return places
