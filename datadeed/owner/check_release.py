"""Checking that a release is the committed data with exactly the marks of its key."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from datadeed.errors import EvidenceError
from datadeed.keys.key import Key
from datadeed.owner.check_sketches import Sketch, matched, sketch
from datadeed.owner.data import Progress, Source, leaf_of, named, open_data
from datadeed.owner.protect import edits
from datadeed.owner.release.rows import Item, Items
from datadeed.owner.samples import modality_of

LOSSY = 20.0  # of 255: JPEG at quality 50 stays well below, another image lies well above
AGAIN = 4.0  # the same of an image without a mark: encoded again as it was, it changes by under 1
Pixels = tuple[np.ndarray, int]


def check_release(
    key: Key,
    source: Source,
    released: Source,
    split: str | None,
    progress: Progress,
    *,
    reading: dict[str, Any] | None = None,
) -> str:
    """The released data is the committed data with exactly the key's marks, in any order.

    A changed label moves an image to another folder, so rows are not compared by their number.
    Images that a lossy format changed are compared with the nearest wanted one of their label; so
    are those without a mark that were encoded again.

    Args:
        key: opened.
        source: the committed data, before it was marked.
        released: the data as it was released.
        split: of both.
        progress: is told of the rows that are read.
        reading: of both, what only their format knows.

    Returns:
        What was found, in a line.

    Raises:
        EvidenceError: it is other data.
        DatasetError: one of them cannot be read.
    """
    wanted = Counter[bytes]()
    marked: dict[bytes, Pixels] = {}
    plain: dict[bytes, Sketch] = {}
    given: dict[str, Any] = {"modality": modality_of(key), **(reading or {})}
    before, _ = open_data(source, split, **given)
    leaf, images = leaf_of(before), before.modality == "image"
    for item, is_marked in _as_marked(key, before, named(source), progress):
        digest = leaf(item)
        wanted[digest] += 1
        if is_marked:
            marked[digest] = (item.sample, item.label)
        elif images:
            plain[digest] = sketch(item.sample, item.label)
    strangers: dict[int, Sketch] = {}
    odd = 0
    after, _ = open_data(released, split, **given)
    leaf = leaf_of(after)
    with progress("compare", after.rows) as advance:
        for item in after:
            digest = leaf(item)
            wanted[digest] -= 1
            if wanted[digest] < 0:
                odd += 1
                if images:
                    strangers[item.row] = sketch(item.sample, item.label)
            advance(item.row + 1)
    if not odd and after.rows == key.data.rows:
        return f"all {after.rows} rows are exactly as the key marks them"
    missing = [digest for digest, count in wanted.items() for _ in range(count)] if images else []
    again = [plain[digest] for digest in missing if digest not in marked]
    changed = [marked[digest] for digest in missing if digest in marked]
    of = _same(again, changed, strangers) if images else None
    if of is None:
        raise EvidenceError(
            f"{named(released)} holds other rows than the committed data with the key's marks"
        )
    distance = _furthest(after, of)
    if distance > LOSSY:
        raise EvidenceError(
            f"an image of {named(released)} differs from every one that the key marks by "
            f"{distance:.1f} of 255 on average: it was changed"
        )
    found = f"{after.rows - len(strangers)} of {after.rows} rows are exactly as the key marks them"
    found += (
        f"; {len(of)} marked ones differ by up to {distance:.1f} of 255 on average" if of else ""
    )
    found += f"; {len(again)} others were encoded again" if again else ""
    return f"{found}, as a lossy format does"


def _same(
    again: list[Sketch], changed: list[Pixels], strangers: dict[int, Sketch]
) -> dict[int, Pixels] | None:
    """The marked image that a released row should be, by row; None if others are no data's own.

    Args:
        again: of images without a mark that are not in the release as they were.
        changed: marked images that are not.
        strangers: of the release's rows that are neither.
    """
    drawings = again + [sketch(pixels, label) for pixels, label in changed]
    pairs = matched(drawings, list(strangers.values()))
    if pairs is None:
        return None
    of = {}
    for row, (at, apart) in zip(strangers, pairs, strict=True):
        if at >= len(again):
            of[row] = changed[at - len(again)]
        elif apart > AGAIN:
            return None
    return of


def _as_marked(
    key: Key, before: Items, name: str, progress: Progress
) -> Iterator[tuple[Item, bool]]:
    """Each row of the committed data as the key releases it, and whether it carries a mark."""
    if before.rows != key.data.rows:
        raise EvidenceError(f"{name} has {before.rows} rows, not {key.data.rows}")
    rows, edit = edits(key, before, progress)
    marked = set(rows.tolist())
    with progress("mark", before.rows) as advance:
        for item in before:
            changed = edit(*item) if item.row in marked else None
            yield item if changed is None else Item(item.row, *changed), changed is not None
            advance(item.row + 1)


def _furthest(released: Items, wanted: dict[int, Pixels]) -> float:
    """The largest mean distance from a released image to the wanted one, by row."""
    furthest = 0.0
    if wanted:
        for row, pixels, _ in released:
            if row in wanted:
                other = wanted[row][0].astype(np.int16)
                furthest = max(furthest, float(np.abs(other - pixels).mean()))
    return furthest
