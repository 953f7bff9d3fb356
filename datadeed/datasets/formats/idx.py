"""IDX: MNIST's files, plain or gzipped; four of them make the two splits.

The format holds neither class names nor index. A file ``classes.txt`` beside them, one name a line,
gives the names.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats.archives import atomic_folder
from datadeed.datasets.formats.blocks import Blocks, choose_split, numbered, reason
from datadeed.datasets.formats.images import array_blocks
from datadeed.errors import DatasetError
from datadeed.files import atomic_path

NAMES = "classes.txt"
_PREFIX = {"train": "train", "test": "t10k"}
_KIND = {"images": 3, "labels": 1}


def matches(path: Path) -> bool:
    """Whether ``path`` is a folder with IDX images."""
    return any(find(path, split, "images") for split in _PREFIX)


def chunks(path: Path, *, split: str | None = None, size: int | None = None) -> Blocks:
    """Read one split and cut it into blocks of (n, 1, H, W).

    Args:
        path: the folder with the files.
        split: ``train`` or ``test`` (files named ``t10k``); not needed if only one is there.
        size: scale and crop to (size, size).

    Raises:
        DatasetError: a file is missing or damaged, or images and labels disagree.
    """
    present = _present(path)
    chosen = choose_split(split, present, path)
    pixels, labels = read_array(path, chosen, "images"), read_array(path, chosen, "labels")
    if len(pixels) != len(labels):
        raise DatasetError(
            f"{path} has {len(pixels)} {chosen} images but {len(labels)} labels: fetch both again"
        )
    classes = _classes(path, present)
    check_labels(torch.from_numpy(labels.astype(np.int64)), classes, str(path))
    blocks = array_blocks(pixels[..., None], labels, np.arange(len(labels)), classes, size=size)
    return Blocks(len(labels), blocks)


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write one split's gzipped files and ``classes.txt``; the other split in the folder is kept.

    Raises:
        DatasetError: images are not grey, there are over 256 classes, or the split is neither
            ``train`` nor ``test``.
    """
    split = split or "train"
    if split not in _PREFIX:
        raise DatasetError(f"IDX has no split {split!r}: name train or test")
    if dataset.shape[0] != 1 or len(dataset.classes) > 256:
        raise DatasetError(
            f"IDX holds grey images of up to 256 classes, not {dataset.shape[0]} channels and "
            f"{len(dataset.classes)} classes: write another format"
        )
    arrays = {
        "images": dataset.samples[:, 0].numpy(),
        "labels": dataset.labels.numpy().astype(np.uint8),
    }
    with atomic_folder(path, keep=True) as folder:
        for kind, array in arrays.items():
            if (earlier := find(folder, split, kind)) is not None:
                earlier.unlink()
            name = f"{_PREFIX[split]}-{kind}-idx{_KIND[kind]}-ubyte.gz"
            with atomic_path(folder / name) as file:
                file.write_bytes(gzip.compress(encode(array), 6, mtime=0))
        with atomic_path(folder / NAMES) as file:
            file.write_text("\n".join(dataset.classes) + "\n", encoding="utf-8")


def encode(array: np.ndarray) -> bytes:
    """An array of uint8 as an IDX file's bytes: magic number, sizes, values."""
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, dtype=np.uint8).tobytes()


def chosen_split(path: Path, split: str | None) -> str:
    """The split that :func:`chunks` reads; errors as there."""
    return choose_split(split, _present(path), path)


def _present(path: Path) -> list[str]:
    return [name for name in _PREFIX if find(path, name, "images")]


def find(folder: Path, split: str, kind: str) -> Path | None:
    """The file with a split's ``images`` or ``labels``."""
    for joint in ("-", "."):
        name = f"{_PREFIX[split]}-{kind}{joint}idx{_KIND[kind]}-ubyte"
        for file in (folder / f"{name}.gz", folder / name):
            if file.is_file():
                return file
    return None


def read_array(folder: Path, split: str, kind: str) -> np.ndarray:
    """A file's array, (N, H, W) or (N,) uint8."""
    file = find(folder, split, kind)
    if file is None:
        raise DatasetError(f"{folder} lacks the {split} {kind}: fetch the whole dataset")
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
        return tuple(names.read_text(encoding="utf-8").split("\n")[:-1])
    # A class may be missing from one split, so all splits are counted.
    labels = [read_array(folder, split, "labels") for split in present]
    return numbered(1 + max(int(array.max(initial=0)) for array in labels))
