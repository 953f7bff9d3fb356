"""What the owner's jobs share: data with its Merkle root, keys from files, and word of progress."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.clips import View
from datadeed.datasets.formats.registry import FORMATS, detect, known_options
from datadeed.errors import DatadeedError, DatasetError, KeyRecordError, UnsupportedModality
from datadeed.keys import merkle
from datadeed.keys.generation2 import CARRIERS, key_from_record
from datadeed.keys.key import Extent, Key
from datadeed.keys.sealing import read_secret
from datadeed.owner.release.clips import ClipItems
from datadeed.owner.release.items import items
from datadeed.owner.release.pictures import check_writable
from datadeed.owner.release.rows import Item, Items
from datadeed.owner.samples import Samples, in_memory, reader

# Called with a job's step and its size; what it gives is entered for the step, and takes the number
# of rows or questions that are done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Note = Callable[[str], None]  # takes a line that the owner should read
Source = str | Path | Dataset  # a dataset on disk in any format, or in memory

# By modality: its name, and the published method that marks it.
KINDS = {"image": "images", "audio": "sound", "text": "texts"}
METHOD_OF = {
    "image": "clean-label-images",
    "audio": "clean-label-audio",
    "text": "clean-label-text",
}


@contextlib.contextmanager
def silent(step: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress that nobody is told of."""
    yield lambda done: None


def unheard(line: str) -> None:
    """A note that nobody reads."""


def read_key(key: Key | str | Path, passphrase: str | None = None) -> Key:
    """The key in a secret file, of either generation; one that was read already is given back.

    Raises:
        SecretError: the file cannot be read as it is.
        KeyRecordError: it holds no key, or an altered one.
    """
    return key if isinstance(key, Key) else key_from_record(read_secret(key, passphrase))


def open_data(
    source: Source,
    split: str | None = None,
    default: str = "train",
    *,
    modality: str | None = None,
    **reading: Any,
) -> tuple[Items, str | None]:
    """A split of a dataset, and its name.

    Args:
        source: a file or folder in any format; or a dataset in memory, which is one.
        split: its name; None if there is only one, or for ``default``.
        default: the split if one must be named.
        modality: what it must hold: that of the key that it is for. None for anything.
        reading: what only the format knows.

    Raises:
        DatasetError: it cannot be read.
        UnsupportedModality: it holds samples of another kind.
    """
    if isinstance(source, Dataset):
        data = in_memory(source)
    else:
        try:
            data = items(source, split=split, **reading)
        except SeveralSplits:
            split, data = default, items(source, split=default, **reading)
    if modality not in (None, data.modality):
        raise UnsupportedModality(
            f"the key marks {KINDS[modality]}, but {named(source)} holds {KINDS[data.modality]}: "
            f"name the data that was committed, or make a key for {KINDS[data.modality]}"
        )
    return data, split


def check_markable(data: Items, source: Source) -> None:
    """Check that keys mark such data.

    Raises:
        UnsupportedModality: they do not.
    """
    known = {kind.modality for kind in CARRIERS.values()}
    if data.modality not in known:
        marked = " and ".join(name for kind, name in KINDS.items() if kind in known)
        raise UnsupportedModality(
            f"a key marks {marked}, but {named(source)} holds {KINDS[data.modality]}: mark it with "
            f"--method {METHOD_OF[data.modality]}"
        )


def check_images(data: Items, note: Note) -> None:
    """Check that a copy of images can be written, and say so if some are stored lying.

    Args:
        data: those without files of their own, and other samples, pass.
        note: takes the line.

    Raises:
        DatasetError: some are of a kind that cannot be written again unseen, marked or not; the
            line names damaged ones, too.
    """
    turned = check_writable(data.files) if data.files else 0
    if turned:
        note(
            f"{turned} of {data.rows} images carry an EXIF orientation: they are read and marked "
            "as stored, as torchvision and Keras read them, and the copy keeps the tag; a loader "
            "that turns them (Hugging Face datasets) turns the marks, too: store them upright first"
        )


def named(source: Source) -> str:
    """What a message calls a source."""
    return "the dataset" if isinstance(source, Dataset) else str(source)


def open_pool(
    pool: Source | None,
    pool_split: str | None = None,
    *,
    source: Source | None = None,
    split: str | None = None,
    modality: str | None = None,
    **reading: Any,
) -> Items:
    """The samples for verification: by default the test split of ``source``, or all of it.

    Args:
        pool, pool_split: their dataset, and its split.
        source, split: the data that is marked, and its split.
        modality, reading: as for :func:`open_data`; of a named pool, what only other formats than
            its own know is left out.

    Raises:
        DatasetError: they cannot be read.
        UnsupportedModality: they are of another kind.
        DatadeedError: neither ``pool`` nor ``source`` is named.
    """
    if pool is not None:
        own = reading if isinstance(pool, Dataset) else _known(reading, Path(pool))
        return open_data(pool, pool_split, "test", modality=modality, **own)[0]
    given: dict[str, Any] = {"modality": modality, **reading}
    if source is None:
        raise DatadeedError("no pool is named: give the samples that the key is bound to")
    try:
        return open_data(source, pool_split or "test", **given)[0]
    except DatasetError:
        if pool_split is not None:
            raise
        return open_data(source, split, **given)[0]


def _known(reading: dict[str, Any], pool: Path) -> dict[str, Any]:
    """The options that a pool's format knows, or that none does, which is an error later."""
    if not reading or not pool.exists():
        return reading
    own = known_options(detect(pool), decoded=False)
    others = set().union(*(known_options(name, decoded=False) for name in FORMATS)) - own
    return {name: value for name, value in reading.items() if name not in others}


def measure(
    data: Items,
    what: str,
    keep: Collection[int] = (),
    *,
    view: View | None = None,
    on_item: Callable[[Item], None] = lambda item: None,
    progress: Progress = silent,
) -> tuple[Extent, dict[int, Samples]]:
    """The extent of a dataset of any kind, and some of its samples, in one pass.

    Args:
        data: decoded as it is read.
        what: the step's name.
        keep: rows whose samples are wanted.
        view: of sound, what a kept sample is of it.
        on_item: is given every item.
        progress: is told of every row.

    Returns:
        Rows and Merkle root; row to a batch of one: (1, C, H, W) uint8, one text, (1, L) int16.
    """
    wanted, kept, leaf, read = set(keep), {}, leaf_of(data), reader(data, view)

    def leaves() -> Iterator[bytes]:
        with progress(what, data.rows) as advance:
            for item in data:
                if item.row in wanted:
                    kept[item.row] = read(item)
                on_item(item)
                yield leaf(item)
                advance(item.row + 1)

    return Extent(data.rows, merkle.merkle_root(leaves())), kept


def read_rows(
    data: Items,
    what: str,
    rows: Collection[int],
    *,
    view: View | None = None,
    progress: Progress = silent,
) -> dict[int, Samples]:
    """Some samples of a dataset that was measured before; others are not decoded.

    Args:
        data, what, view: as for :func:`measure`.
        rows: that are wanted.
        progress: is told of each of these.

    Returns:
        Row to a batch of one, as of :func:`measure`.
    """
    found, read = {}, reader(data, view)
    with progress(what, len(set(rows))) as advance:
        for item in data.some(rows):
            found[item.row] = read(item)
            advance(len(found))
    return found


def leaf_of(data: Items) -> Callable[[Item], bytes]:
    """What gives an item's leaf in the Merkle tree."""
    if data.modality == "text":
        return lambda item: merkle.text_leaf(item.sample, item.label)
    if not isinstance(data, ClipItems):
        return lambda item: merkle.leaf(item.pixels, item.label)
    forms = data.forms

    def sound(item: Item) -> bytes:
        form = forms[item.row]
        return merkle.sound_leaf(item.sample, form.rate, form.kind, item.label)

    return sound


def check_extent(found: Extent, stated: Extent, what: str) -> None:
    """Check that data is what a key is bound to.

    Raises:
        KeyRecordError: it is other data.
    """
    if found.rows != stated.rows:
        raise KeyRecordError(
            f"{what} has {found.rows} rows, but the key is bound to {stated.rows}: name the data "
            "that was committed"
        )
    if found.merkle_root != stated.merkle_root:
        raise KeyRecordError(
            f"{what} is not the data that the key is bound to (another Merkle root): a sample, a "
            "label or the order of rows differs; name the data that was committed"
        )
