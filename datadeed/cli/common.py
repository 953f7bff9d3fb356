"""What several commands share: keys from files, data with its Merkle root, progress."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datadeed.errors import KeyRecordError, UnsupportedModality
from datadeed.keys.key import Extent, Key

if TYPE_CHECKING:
    import torch

    from datadeed.owner.release.items import Item, Items

PASSPHRASE = "DATADEED_PASSPHRASE"
# By modality: its name, and the method that marks it.
KINDS = {"image": "images", "audio": "sound", "text": "texts"}
METHOD_OF = {
    "image": "clean-label-images",
    "audio": "clean-label-audio",
    "text": "clean-label-text",
}


def passphrase() -> str | None:
    """The passphrase of secret files, from the environment only; None if there is none."""
    return os.environ.get(PASSPHRASE) or None


def read_key(path: Path) -> Key:
    """The key in a secret file.

    Raises:
        SecretError: the file cannot be read as it is.
        KeyRecordError: it holds no key, or an altered one.
    """
    from datadeed.keys.sealing import read_secret

    return Key.from_record(read_secret(path, passphrase()))


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that name the data and the pool of images for verification."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the dataset to release")
    parser.add_argument("--split", help="the split to mark, where there are several (train)")
    add_pool(parser)


def add_pool(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """The options that name the pool."""
    parser.add_argument(
        "--pool",
        type=Path,
        required=required,
        help="images for verification, which need not be secret; by default the test split of "
        "SOURCE, or SOURCE itself",
    )
    parser.add_argument("--pool-split", help="the split of the pool, where there are several")


def open_data(
    path: Path,
    split: str | None,
    default: str = "train",
    *,
    modality: str | None = "image",
    **reading: Any,
) -> "tuple[Items, str | None]":
    """A split of a dataset in any format, and its name.

    Args:
        path: the file or folder.
        split: its name; None if there is only one, or for ``default``.
        default: the split if one must be named.
        modality: what it must hold; a key is for images. None for anything.
        reading: what only the format knows.

    Raises:
        DatasetError: it cannot be read.
        UnsupportedModality: it holds samples of another kind.
    """
    from datadeed.datasets.formats.blocks import SeveralSplits
    from datadeed.owner.release.items import items

    try:
        data = items(path, split=split, **reading)
    except SeveralSplits:
        split, data = default, items(path, split=default, **reading)
    if modality not in (None, data.modality):
        raise UnsupportedModality(
            f"a key marks images, but {path} holds {KINDS[data.modality]}: mark it with "
            f"--method {METHOD_OF[data.modality]}"
        )
    return data, split


def open_pool(options: argparse.Namespace) -> "Items":
    """The pool that the options name: by default the source's test split, or all of it.

    Raises:
        DatasetError: it cannot be read.
    """
    from datadeed.errors import DatasetError

    if options.pool is not None:
        return open_data(options.pool, options.pool_split, "test")[0]
    try:
        return open_data(options.source, options.pool_split or "test")[0]
    except DatasetError:
        if options.pool_split is not None:
            raise
        return open_data(options.source, options.split)[0]


def measure(
    data: "Items", what: str, keep: Collection[int] = ()
) -> "tuple[Extent, dict[int, torch.Tensor]]":
    """The extent of a dataset of any kind, and some of its images, in one pass.

    Args:
        data: decoded as it is read.
        what: for the progress bar.
        keep: rows whose images are wanted.

    Returns:
        Rows and Merkle root; row to (1, C, H, W) uint8.
    """
    from datadeed.keys.merkle import merkle_root

    wanted, images, leaf = set(keep), {}, _leaf_of(data)

    def leaves() -> Iterator[bytes]:
        with progress(what, data.rows) as advance:
            for item in data:
                if item.row in wanted:
                    images[item.row] = to_tensor(item.pixels)
                yield leaf(item)
                advance(item.row + 1)

    return Extent(data.rows, merkle_root(leaves())), images


def _leaf_of(data: "Items") -> "Callable[[Item], bytes]":
    """What gives an item's leaf in the Merkle tree."""
    from datadeed.keys import merkle
    from datadeed.owner.release.clips import ClipItems

    if data.modality == "text":
        return lambda item: merkle.text_leaf(item.sample, item.label)
    if not isinstance(data, ClipItems):
        return lambda item: merkle.leaf(item.pixels, item.label)
    forms = data.forms

    def sound(item: "Item") -> bytes:
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
            f"{what} is not the data that the key is bound to (another Merkle root): a pixel, a "
            "label or the order of rows differs; name the data that was committed"
        )


def to_tensor(pixels: np.ndarray) -> "torch.Tensor":
    """(H, W, C) uint8 as (1, C, H, W) uint8."""
    # A copy, as decoders give read-only arrays and torch warns of them.
    import torch

    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C"))[None]


@contextlib.contextmanager
def progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on a terminal; yields a function that takes what is done so far."""
    from tqdm import tqdm

    with tqdm(total=total, desc=text, unit_scale=True, disable=None, leave=False) as bar:

        def advance(done: int) -> None:
            bar.update(done - bar.n)

        yield advance


def say(line: str) -> None:
    """A line for the user, who may be sending standard output elsewhere."""
    sys.stderr.write(f"{line}\n")


def show(options: argparse.Namespace, value: dict[str, Any], text: str) -> None:
    """The result: JSON if asked for, else text."""
    from datadeed.cli.main import show_json

    if options.json:
        show_json(value)
    else:
        sys.stdout.write(f"{text}\n")
