"""IDX: MNIST's files, plain or gzipped; four of them make the two splits.

The format holds neither class names nor index. A file ``classes.txt`` beside them, one name a line,
gives the names.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import images
from datadeed.datasets.formats.blocks import choose_split, numbered
from datadeed.datasets.formats.split import Split, array_split
from datadeed.errors import DatasetError, reason

blocks = images.blocks
NAMES = "classes.txt"
_PREFIX = {"train": "train", "test": "t10k"}
_KIND = {"images": 3, "labels": 1}


def matches(path: Path) -> bool:
    """Whether ``path`` is a folder with IDX images."""
    return any(find(path, split, "images") for split in _PREFIX)


def open_split(path: Path, split: str | None = None) -> Split:
    """Read one split.

    Args:
        path: the folder with the files.
        split: ``train`` or ``test`` (files named ``t10k``); not needed if only one is there.

    Raises:
        DatasetError: a file is missing or damaged, or images and labels disagree.
    """
    present = [name for name in _PREFIX if find(path, name, "images")]
    chosen = choose_split(split, present, path)
    files = [_existing(path, chosen, kind) for kind in _KIND]
    pixels, labels = (read_array(*one) for one in zip(files, _KIND, strict=True))
    if len(pixels) != len(labels):
        raise DatasetError(
            f"{path} has {len(pixels)} {chosen} images but {len(labels)} labels: fetch both again"
        )
    return array_split(
        path, pixels[..., None], labels, classes=_classes(path, present), files=files
    )


def encode(array: np.ndarray) -> bytes:
    """An array of uint8 as an IDX file's bytes: magic number, sizes, values."""
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, dtype=np.uint8).tobytes()


def find(folder: Path, split: str, kind: str) -> Path | None:
    """The file with a split's ``images`` or ``labels``."""
    for joint in ("-", "."):
        name = f"{_PREFIX[split]}-{kind}{joint}idx{_KIND[kind]}-ubyte"
        for file in (folder / f"{name}.gz", folder / name):
            if file.is_file():
                return file
    return None


def _existing(folder: Path, split: str, kind: str) -> Path:
    file = find(folder, split, kind)
    if file is None:
        raise DatasetError(f"{folder} lacks the {split} {kind}: fetch the whole dataset")
    return file


def read_array(file: Path, kind: str) -> np.ndarray:
    """The array in a file of ``images`` or ``labels``: (N, H, W) or (N,) uint8.

    Raises:
        DatasetError: it is damaged.
    """
    dimensions = _KIND[kind]
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            zero, code, ndim, *shape = struct.unpack(
                f">HBB{dimensions}I", stream.read(4 + 4 * dimensions)
            )
            wanted = int(np.prod(shape, dtype=np.float64))
            # One byte more than the header declares: enough to notice, too little to be a bomb.
            values = stream.read(min(wanted, 2**40) + 1)
    except (OSError, EOFError, zlib.error, struct.error, MemoryError) as error:
        raise DatasetError(f"{file} is damaged ({reason(error)}): fetch it again") from error
    if (zero, code, ndim) != (0, 8, dimensions) or len(values) != wanted:
        raise DatasetError(
            f"{file} is not a whole IDX file of {dimensions}-dimensional bytes: fetch it again"
        )
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _classes(folder: Path, present: list[str]) -> tuple[str, ...]:
    if (names := folder / NAMES).is_file():
        try:
            return tuple(names.read_text(encoding="utf-8").split("\n")[:-1])
        except UnicodeDecodeError as error:
            raise DatasetError(f"{names} is not UTF-8: write it again as UTF-8") from error
    # A class may be missing from one split, so all splits are counted.
    files = [_existing(folder, split, "labels") for split in present]
    labels = [read_array(file, "labels") for file in files]
    return numbered(1 + max(int(array.max(initial=0)) for array in labels))
