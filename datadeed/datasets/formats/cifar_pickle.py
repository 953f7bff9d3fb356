"""CIFAR-10's Python batches: pickles, read by an unpickler that makes arrays and nothing else."""

import codecs
import io
import math
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import archives, images
from datadeed.datasets.formats.blocks import choose_split
from datadeed.datasets.formats.split import Split, array_split
from datadeed.errors import DatasetError, reason

blocks = images.blocks
FOLDER = "cifar-10-batches-py"
_META = "batches.meta"
_SHAPE = (3, 32, 32)


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for ``_codecs.encode``, which newer pickles make bytes with."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the codec {encoding!r}")
    return codecs.encode(text, "latin1")


def _reconstruct(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """Stands in for NumPy's function of this name, which starts an empty array."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("it holds an array in an unusual form")
    return np.empty(0, dtype=np.uint8)


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    """Finds only what a CIFAR batch needs, so that a file cannot run code of its own."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which may run code"
            ) from None


def matches(path: Path) -> bool:
    """Whether ``path`` is the folder of batches, its parent, or the archive it came in."""
    if archives.is_archive(path):
        return any(Path(name).name == _META for name in archives.member_names(path))
    return (_folder(path) / _META).is_file()


def open_split(path: Path, split: str | None = None) -> Split:
    """Read one split.

    Args:
        path: the folder ``cifar-10-batches-py``, its parent, or ``cifar-10-python.tar.gz``.
        split: ``train`` (``data_batch_*``) or ``test`` (``test_batch``).

    Raises:
        DatasetError: a batch is missing, damaged, of another shape, or asks for anything beyond
            arrays.
    """
    folder, _scratch = archives.unpacked(path)
    files = batches(folder, split)
    data, labels = zip(*map(_batch, files), strict=True)
    pixels = np.moveaxis(np.concatenate(data).reshape(-1, *_SHAPE), 1, 3)
    classes = _classes(_folder(folder) / _META)
    return array_split(path, pixels, np.concatenate(labels), classes=classes, files=files)


def batches(path: Path, split: str | None) -> list[Path]:
    """The files of one split, in row order; arguments and errors as :func:`open_split`."""
    folder = _folder(path)
    names = {"train": "data_batch_*", "test": "test_batch"}
    files = {
        name: sorted(file for file in folder.glob(pattern) if file.is_file())
        for name, pattern in names.items()
    }
    present = [name for name, found in files.items() if found]
    return files[choose_split(split, present, path)]


def _folder(path: Path) -> Path:
    return path / FOLDER if (path / FOLDER).is_dir() else path


def load(file: Path) -> dict[bytes, Any]:
    """A pickled dictionary, with keys as bytes.

    Raises:
        DatasetError: it is damaged, or asks for anything beyond arrays; then nothing of it has run.
    """
    try:
        return unpickle(file.read_bytes())
    except FileNotFoundError as error:
        raise DatasetError(f"{file} is missing: fetch the whole dataset") from error
    except Exception as error:  # a damaged pickle raises nearly any class
        raise DatasetError(f"{file} was refused ({reason(error)}): fetch it again") from error


def unpickle(data: bytes) -> dict[bytes, Any]:
    """As :func:`load`, from bytes; a damaged pickle raises nearly any class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy frowns on dtypes that Python 2 pickled
        content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    if not isinstance(content, dict):
        raise pickle.UnpicklingError("it holds no dictionary")
    return {key.encode() if isinstance(key, str) else key: value for key, value in content.items()}


def _batch(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, (N, 3072) uint8, and labels, (N,) int64."""
    content = load(file)
    data, labels = content.get(b"data"), content.get(b"labels")
    width = math.prod(_SHAPE)
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.shape[1:] != (width,)
        or not isinstance(labels, list)
        or len(labels) != len(data)
        or not all(isinstance(label, int) for label in labels)
    ):
        raise DatasetError(
            f"{file} is not a batch of (N, {width}) uint8 pixels and N labels: fetch it again"
        )
    return data, np.array(labels, dtype=np.int64)


def _classes(file: Path) -> tuple[str, ...]:
    names = load(file).get(b"label_names")
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise DatasetError(f"{file} has no list of class names: fetch it again")
    return tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else n for n in names)
