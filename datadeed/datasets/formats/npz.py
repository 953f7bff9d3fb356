"""NumPy archives: ``x_train``/``y_train`` for splits (Keras's names), or ``x``/``y`` for one.

A file may also hold ``index`` (or ``index_train``) and ``classes``. Nothing in it is unpickled.
"""

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import images
from datadeed.datasets.formats.blocks import choose_split, numbered
from datadeed.datasets.formats.split import Split, array_split
from datadeed.errors import DatasetError, reason

blocks = images.blocks
_CORRUPT = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError)


def matches(path: Path) -> bool:
    """Whether ``path`` is a file that ends in ``.npz``."""
    return path.is_file() and path.suffix == ".npz"


def open_split(path: Path, split: str | None = None) -> Split:
    """Read one split.

    Args:
        path: the file; images are (N, H, W), (N, H, W, C) or (N, C, H, W) uint8, with C = 1 or 3.
        split: ``train`` reads ``x_train`` and ``y_train``; not needed for ``x`` and ``y``.

    Raises:
        DatasetError: the file is damaged, holds Python objects, lacks an array, or an array has a
            shape or dtype that cannot be used.
    """
    arrays = load(path)
    suffix = suffix_of(split, arrays, path)
    for name in (f"x{suffix}", f"y{suffix}"):
        if name not in arrays:
            raise DatasetError(f"{path} lacks {name!r} (it has: {', '.join(arrays)}): add it")
    pixels = pixels_of(arrays[f"x{suffix}"], path)
    labels = _labels(arrays[f"y{suffix}"], len(pixels), path)
    index = arrays.get(f"index{suffix}", np.arange(len(pixels)))
    if index.shape != labels.shape or index.dtype.kind not in "iu":
        raise DatasetError(f"{path} has an 'index{suffix}' not of one integer a row: remove it")
    if "classes" in arrays:
        classes = tuple(map(str, arrays["classes"].ravel()))
    else:  # a class may be missing from one split, so all splits are counted
        known = [
            array
            for name, array in arrays.items()
            if name[:2] in ("y", "y_") and array.dtype.kind in "iu"
        ]
        classes = numbered(1 + max(int(array.max(initial=0)) for array in known))
    return array_split(path, pixels, labels, classes=classes, files=[path], index=index)


def suffix_of(split: str | None, names: Iterable[str], where: Path) -> str:
    """What follows ``x`` and ``y`` in the names of a split's arrays.

    Raises:
        DatasetError: the split is missing, or none was asked for and there are several.
    """
    present = [name[2:] for name in names if name == "x" or name.startswith("x_")]
    return "" if "" in present and split is None else "_" + choose_split(split, present, where)


def load(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file, in its order.

    Raises:
        DatasetError: it is damaged or holds Python objects.
    """
    try:
        with path.open("rb") as file:  # numpy leaves its own open when the zip is damaged
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, Mapping):
                raise ValueError("it is one array")
            return {name: archive[name] for name in archive}
    except _CORRUPT as error:
        raise DatasetError(
            f"{path} is damaged or holds more than plain arrays ({reason(error)}): write it again "
            "with numpy.savez"
        ) from error


def pixels_of(array: np.ndarray, path: Path) -> np.ndarray:
    """Images as (N, H, W, C) uint8: a view of ``array``."""
    if array.dtype != np.uint8:
        raise DatasetError(
            f"{path} has images of {array.dtype}: store uint8 values from 0 to 255, unscaled"
        )
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 4 and array.shape[3] in (1, 3):
        return array
    if array.ndim == 4 and array.shape[1] in (1, 3):
        return np.moveaxis(array, 1, 3)
    raise DatasetError(
        f"{path} has images of shape {array.shape}: give (N, H, W) or (N, H, W, C), C = 1 or 3"
    )


def _labels(array: np.ndarray, n: int, path: Path) -> np.ndarray:
    """Labels as (N,) int64; Keras stores (N, 1)."""
    if array.dtype.kind not in "iu" or array.size != n or array.shape[:1] != (n,):
        raise DatasetError(
            f"{path} has labels of shape {array.shape} {array.dtype} for {n} images: give one "
            "integer each"
        )
    return array.reshape(n).astype(np.int64)
