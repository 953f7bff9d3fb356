"""Checking that a release is the committed data with exactly the marks of its key."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from datadeed.datasets.formats.images import decode
from datadeed.errors import EvidenceError
from datadeed.keys.key import Key
from datadeed.owner.check_sketches import LOSSY, matched, sketch
from datadeed.owner.data import Progress, leaf_of, silent
from datadeed.owner.protect import edits
from datadeed.owner.release.pictures import settle
from datadeed.owner.release.rows import Item, Items

Pixels = tuple[np.ndarray, int]


def check_release(
    key: Key,
    before: Items,
    after: Items,
    where: str = "the release",
    *,
    open_samples: Callable[[], Items] | None = None,
    progress: Progress = silent,
) -> str:
    """The released data is the committed data with exactly the key's marks, in any order.

    A changed label moves an image to another folder, so rows are not compared by their number.
    Marked images that a lossy format changed are compared with the nearest wanted one of their
    label. All else is as it was, or the JPEG that :func:`datadeed.owner.release.pictures.settle`
    makes of it.

    Args:
        key: opened.
        before: the committed data, before it was marked.
        after: the data as it was released, of the same split.
        where: the release, for messages.
        open_samples: opens the pool; called for a carrier whose marks are made of it.
        progress: is told of the rows that are read.

    Returns:
        What was found, in a line.

    Raises:
        EvidenceError: it is other data.
        DatasetError: one of them cannot be read.
    """
    wanted = Counter[bytes]()
    marked: dict[bytes, Pixels] = {}
    plain: dict[bytes, int] = {}  # rows
    leaf = leaf_of(before)
    for item, is_marked in _as_marked(key, before, open_samples, progress):
        digest = leaf(item)
        wanted[digest] += 1
        if is_marked:
            marked[digest] = (item.sample, item.label)
        else:
            plain[digest] = item.row
    strangers: dict[int, bytes] = {}
    leaf = leaf_of(after)
    with progress("compare", after.rows) as advance:
        for item in after:
            digest = leaf(item)
            wanted[digest] -= 1
            if wanted[digest] < 0:
                strangers[item.row] = digest
            advance(item.row + 1)
    if not strangers and after.rows == key.data.rows:
        return f"all {after.rows} rows are exactly as the key marks them"
    missing = [digest for digest, count in wanted.items() for _ in range(count)]
    again = [plain[digest] for digest in missing if digest not in marked]
    rest = _without(strangers, _settled(before, again))
    changed = [marked[digest] for digest in missing if digest in marked]
    of = _same(changed, after, rest) if after.modality == "image" and rest is not None else None
    if of is None:
        raise EvidenceError(
            f"{where} holds other rows than the committed data with the key's marks"
        )
    distance = _furthest(after, of)
    if distance > LOSSY:
        raise EvidenceError(
            f"an image of {where} differs from every one that the key marks by "
            f"{distance:.1f} of 255 on average: it was changed"
        )
    found = f"{after.rows - len(strangers)} of {after.rows} rows are exactly as the key marks them"
    found += (
        f"; {len(of)} marked ones differ by up to {distance:.1f} of 255 on average" if of else ""
    )
    found += f"; {len(again)} others were encoded again" if again else ""
    return f"{found}, as a lossy format does"


def _settled(data: Items, rows: list[int]) -> Counter[bytes]:
    """The leaves of images as they are once their JPEGs are brought to rest; of others as they are.

    Args:
        data: as it was committed.
        rows: whose leaves are wanted, each as often as it stands there.
    """
    often, found = Counter(rows), Counter[bytes]()
    if not rows or data.files is None:
        return Counter(dict.fromkeys([b""], len(rows)))
    leaf = leaf_of(data)
    for row, (name, content) in enumerate(data.files()):
        if row in often:
            held = content.read_bytes() if isinstance(content, Path) else content
            pixels = decode(name, settle(name, held), channels=data.channels, size=None)
            found[leaf(Item(row, pixels, int(data.labels[row])))] += often[row]
    return found + Counter({b"": len(rows) - found.total()})


def _without(strangers: dict[int, bytes], settled: Counter[bytes]) -> list[int] | None:
    """The rows that are none of the settled ones; None if a settled one is not there."""
    left, rest = +settled, []
    for row, digest in strangers.items():
        if left[digest] > 0:
            left[digest] -= 1
        else:
            rest.append(row)
    return None if +left else rest


def _same(changed: list[Pixels], released: Items, rows: list[int]) -> dict[int, Pixels] | None:
    """The marked image that each of the rows should be; None if they cannot be paired."""
    chosen = set(rows)
    drawn = [sketch(item.pixels, item.label) for item in released if item.row in chosen]
    pairs = matched([sketch(pixels, label) for pixels, label in changed], drawn)
    if pairs is None:
        return None
    return {row: changed[at] for row, (at, _) in zip(sorted(rows), pairs, strict=True)}


def _as_marked(
    key: Key, before: Items, open_samples: Callable[[], Items] | None, progress: Progress
) -> Iterator[tuple[Item, bool]]:
    """Each row of the committed data as the key releases it, and whether it carries a mark."""
    if before.rows != key.data.rows:
        raise EvidenceError(f"the source has {before.rows} rows, not {key.data.rows}")
    rows, edit = edits(key, before, open_samples, progress)
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
