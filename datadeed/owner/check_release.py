"""Checking that a release is the committed data with exactly the marks of its key."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from datadeed.errors import EvidenceError
from datadeed.keys.key import Key
from datadeed.keys.merkle import leaf
from datadeed.owner.data import Progress, Source, named, open_data, silent
from datadeed.owner.protect import edits
from datadeed.owner.release.rows import Items

LOSSY = 20.0  # of 255: JPEG at quality 50 stays well below, another image lies well above
Pixels = tuple[np.ndarray, int]


def check_release(
    key: Key,
    source: Source,
    released: Source,
    split: str | None,
    *,
    open_images: Callable[[], Items],
    progress: Progress = silent,
) -> str:
    """The released data is the committed data with exactly the key's marks, in any order.

    A changed label moves an image to another folder, so rows are not compared by their number.
    Images that a lossy format changed are compared with the nearest wanted one of their label.

    Args:
        key: opened.
        source: the committed data, before it was marked.
        released: the data as it was released.
        split: of both.
        open_images: opens the pool; called for a carrier whose marks are made of it.
        progress: is told of the rows that are read.

    Returns:
        What was found, in a line.

    Raises:
        EvidenceError: it is other data.
        DatasetError: one of them cannot be read.
    """
    wanted = Counter[bytes]()
    marked: dict[bytes, Pixels] = {}
    for pixels, label, is_marked in _as_marked(key, source, split, open_images, progress):
        digest = leaf(pixels, label)
        wanted[digest] += 1
        if is_marked:
            marked[digest] = (pixels, label)
    strangers: list[Pixels] = []
    after, _ = open_data(released, split)
    with progress("compare", after.rows) as advance:
        for row, pixels, label in after:
            digest = leaf(pixels, label)
            wanted[digest] -= 1
            if wanted[digest] < 0:
                strangers.append((pixels, label))
            advance(row + 1)
    missing = [marked.get(digest) for digest, count in wanted.items() for _ in range(count)]
    if None in missing or len(missing) != len(strangers):
        raise EvidenceError(
            f"{named(released)} holds other rows than the committed data with the key's marks"
        )
    if not strangers:
        return f"all {after.rows} rows are exactly as the key marks them"
    distance = _furthest([found for found in missing if found is not None], strangers)
    if distance > LOSSY:
        raise EvidenceError(
            f"an image of {named(released)} differs from every one that the key marks by "
            f"{distance:.1f} of 255 on average: it was changed"
        )
    return (
        f"{after.rows - len(strangers)} of {after.rows} rows are exactly as the key marks them; "
        f"{len(strangers)} differ by up to {distance:.1f} of 255 on average, as a lossy format does"
    )


def _as_marked(
    key: Key,
    source: Source,
    split: str | None,
    open_images: Callable[[], Items],
    progress: Progress,
) -> Iterator[tuple[np.ndarray, int, bool]]:
    """Each row of the committed data as the key releases it, and whether it carries a mark."""
    before, _ = open_data(source, split)
    if before.rows != key.data.rows:
        raise EvidenceError(f"{named(source)} has {before.rows} rows, not {key.data.rows}")
    rows, edit = edits(key, before, open_images, progress)
    marked = set(rows.tolist())
    with progress("mark", before.rows) as advance:
        for row, pixels, label in before:
            changed = edit(row, pixels, label) if row in marked else None
            yield *(changed or (pixels, label)), changed is not None
            advance(row + 1)


def _furthest(wanted: list[Pixels], found: list[Pixels]) -> float:
    """The largest mean distance from a found image to the nearest wanted one of its label."""
    furthest = 0.0
    for pixels, label in found:
        near = [
            float(np.abs(other.astype(np.int16) - pixels).mean())
            for other, its_label in wanted
            if its_label == label and other.shape == pixels.shape
        ]
        furthest = max(furthest, min(near, default=255.0))
    return furthest
