"""NumPy archives of images and labels, under the names that people give them.

Keras's ``x_train`` and ``y_train``, MedMNIST's ``train_images`` and ``train_labels``, or ``x`` and
``y`` of one split (:data:`IMAGES`, :data:`LABELS`, in any case). A file may also hold ``index`` (or
``index_train``) and ``classes``. Nothing in it is unpickled. Many images stay on disk.
"""

import contextlib
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datadeed.datasets.formats import images
from datadeed.datasets.formats.blocks import MOST_CLASSES, SPLITS, choose_split, numbered
from datadeed.datasets.formats.npz_images import DiskImages, Member
from datadeed.datasets.formats.split import Split, array_split
from datadeed.errors import DatasetError, reason

blocks = images.blocks
IMAGES = ("x", "images", "image", "samples", "data", "arr_0")
LABELS = ("y", "labels", "label", "targets", "target", "arr_1")
_INDEX, _CLASSES = "index", "classes"
LARGE = 2**24  # bytes of images from which on they stay on disk
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Array = np.ndarray | Member


class Names(NamedTuple):
    """The names of one split's arrays; "" for one that is missing."""

    images: str
    labels: str
    numbers: str


def matches(path: Path) -> bool:
    """Whether ``path`` is a file that ends in ``.npz``."""
    return path.is_file() and path.suffix == ".npz"


def open_split(path: Path, split: str | None = None) -> Split:
    """Read one split.

    Args:
        path: the file; images are (N, H, W), (N, H, W, C) or (N, C, H, W) uint8, with C = 1 or 3;
            labels are (N,) or (N, 1), integers from 0 or class names.
        split: ``train`` reads ``x_train`` and ``y_train``; not needed for ``x`` and ``y``.

    Raises:
        DatasetError: the file is damaged, holds Python objects, lacks an array, or an array has a
            shape or dtype that cannot be used.
    """
    arrays = load(path)
    names = names_of(split, arrays, path)
    pixels = pixels_of(arrays[names.images], path)
    classes = _classes(arrays, path)
    labels = _labels(held(arrays, names.labels), len(pixels), classes, path)
    index = held(arrays, names.numbers) if names.numbers else np.arange(len(pixels))
    if index.shape != labels.shape or index.dtype.kind not in "iu":
        raise DatasetError(f"{path} has an {names.numbers!r} not of one integer a row: remove it")
    return array_split(path, pixels, labels, classes=classes, files=[path], index=index)


def every_split(arrays: Mapping[str, Array]) -> dict[str | None, Names]:
    """The names of each split's arrays, by the split's name; None for a file of one split.

    Of several arrays that could be a split's images, the first of :data:`IMAGES` is taken; so of
    labels. A split without images is none.
    """
    found: dict[str | None, dict[str, str]] = defaultdict(dict)
    for name, array in arrays.items():
        if isinstance(array, Array):  # other members are bytes
            what, split = _parted(name)
            found[split].setdefault(what, name)
    return {
        split: Names(*(_first(of, kinds) for kinds in (IMAGES, LABELS, (_INDEX,))))
        for split, of in found.items()
        if _first(of, IMAGES)
    }


def _parted(name: str) -> tuple[str, str | None]:
    """What an array is, and of which split: ``x_train``, ``train_x``, ``X``, ``x_extra``."""
    what, low = name, name.lower()
    for split in SPLITS:
        if low.endswith(f"_{split}") or low.startswith(f"{split}_"):
            return low.removesuffix(f"_{split}").removeprefix(f"{split}_"), split
    what, joint, split = name.partition("_")
    if joint and what.lower() in ("x", "y", _INDEX):
        return what.lower(), split
    return low, None


def _first(of: Mapping[str, str], kinds: tuple[str, ...]) -> str:
    return next((of[kind] for kind in kinds if kind in of), "")


def names_of(split: str | None, arrays: Mapping[str, Array], where: Path) -> Names:
    """The names of a split's arrays.

    Raises:
        DatasetError: the split or its labels are missing, or none was asked for and there are
            several.
    """
    found, present = every_split(arrays), ", ".join(arrays)[:160]
    if not found:
        raise DatasetError(
            f"{where} has no images among its arrays ({present}): name them x and y, or x_train "
            f"and y_train (or {', '.join(IMAGES[1:])}; {', '.join(LABELS[1:])})"
        )
    if None not in found or split is not None:
        split = choose_split(split, [name for name in found if name], where)
    names = found[split]
    if not names.labels:
        what, _ = _parted(names.images)
        wanted = names.images.lower().replace(what, LABELS[IMAGES.index(what)], 1)
        raise DatasetError(f"{where} lacks {wanted!r} (it has: {present}): add it")
    return names


def load(path: Path) -> dict[str, Array]:
    """All arrays of a file, in its order; images of 16 MiB and more are left where they are.

    Raises:
        DatasetError: it is damaged, encrypted or compressed in an unknown way, holds Python
            objects, or two members of one name.
    """
    with _reading(path), path.open("rb") as file:  # numpy leaves its own open if it is damaged
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is one array")
        assert archive.zip is not None  # it is open
        names = list(archive)
        if len(set(names)) < len(names):
            raise ValueError("two members have one name")
        return {name: _member(path, archive.zip, name) or archive[name] for name in names}


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What is wrong with a file becomes one line."""
    try:
        yield
    except Exception as error:  # zipfile and numpy let through whatever hostile bytes bring about
        raise DatasetError(
            f"{path} is damaged or holds more than plain arrays ({reason(error)}): write it again "
            "with numpy.savez"
        ) from error


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Member | None:
    """A member that holds many images, as :func:`pixels_of` takes them; None if it is another."""
    info = archive.getinfo(name if name in archive.namelist() else f"{name}.npy")
    if _parted(name)[0] not in IMAGES or info.file_size < LARGE:
        return None
    with archive.open(info) as stored:
        read_header = _HEADERS.get(np.lib.format.read_magic(stored))
        if read_header is None:
            return None
        shape, _, dtype = read_header(stored)
        size = int(np.prod(shape, dtype=object)) + stored.tell()
    fits = dtype == np.uint8 and len(shape) in (3, 4) and min(shape) > 0
    return Member(path, info.filename, shape) if fits and size == info.file_size else None


def held(arrays: Mapping[str, Array], name: str) -> np.ndarray:
    """An array that is in memory, as all but images are."""
    array = arrays[name]
    assert isinstance(array, np.ndarray)
    return array


def pixels_of(array: Array, path: Path) -> np.ndarray | DiskImages:
    """Images as (N, H, W, C) uint8: a view of ``array``, in memory or on disk.

    Raises:
        DatasetError: it has another dtype or shape. While rows are read from disk: it is damaged.
    """
    if isinstance(array, Member):
        return DiskImages(array, partial(_arranged, path=path), partial(_reading, path))
    return _arranged(array, path)


def _arranged(array: np.ndarray, path: Path) -> np.ndarray:
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


def _classes(arrays: Mapping[str, Array], path: Path) -> tuple[str, ...]:
    """All class names: a class may be missing from one split, so all splits are counted."""
    if isinstance(listed := arrays.get(_CLASSES), np.ndarray):
        return tuple(_texts(listed, path).tolist())
    known = [held(arrays, names.labels) for names in every_split(arrays).values() if names.labels]
    named = [np.unique(_texts(array, path)) for array in known if array.dtype.kind in "US"]
    if named:
        return tuple(np.unique(np.concatenate(named)).tolist())
    largest = max((int(a.max(initial=0)) for a in known if a.dtype.kind in "iu"), default=0)
    if largest >= MOST_CLASSES:
        raise DatasetError(f"{path} has a label {largest}: number classes from 0")
    return numbered(1 + largest)


def _texts(array: np.ndarray, path: Path) -> np.ndarray:
    """An array of text, (N,); bytes are UTF-8.

    Raises:
        DatasetError: it holds what is no text.
    """
    try:
        array = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
        return np.array([str(text) for text in array.ravel()], dtype=np.str_)
    except ValueError as error:  # of which wrong code points and wrong UTF-8 are kinds
        raise DatasetError(
            f"{path} has names that are no text ({reason(error)}): correct them"
        ) from error


def _labels(array: np.ndarray, n: int, classes: tuple[str, ...], path: Path) -> np.ndarray:
    """Labels as (N,) integers of the array's own dtype, or int64 of names; Keras stores (N, 1)."""
    if array.dtype.kind not in "iuUS" or array.size != n or array.shape[:1] != (n,):
        raise DatasetError(
            f"{path} has labels of shape {array.shape} {array.dtype} for {n} images: give one "
            "integer each, or one name"
        )
    if array.dtype.kind in "iu":
        return array.reshape(n)
    wide = np.array([stored(name, array.dtype) for name in classes])
    if classes and wide.itemsize > array.itemsize:  # a marked row could not get each of them
        longest = max(classes, key=len)[:80]
        raise DatasetError(
            f"{path} has labels of {array.dtype}, which cannot hold {longest!r}: store wider ones"
        )
    numbers = {name: label for label, name in enumerate(classes)}
    texts = _texts(array, path).tolist()
    if missing := set(texts) - set(numbers):
        raise DatasetError(
            f"{path} has a label {min(missing)[:80]!r} that is not in 'classes': add it"
        )
    return np.array([numbers[text] for text in texts], dtype=np.int64)


def stored(name: str, dtype: np.dtype) -> str | bytes:
    """A class name as an array of text or bytes holds it."""
    return name if dtype.kind == "U" else name.encode()
