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
import torch

from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats import archives
from datadeed.datasets.formats.blocks import Blocks, choose_split, reason
from datadeed.datasets.formats.images import array_blocks
from datadeed.errors import DatasetError
from datadeed.files import atomic_path

FOLDER = "cifar-10-batches-py"
_META = "batches.meta"
_SHAPE = (3, 32, 32)
_BATCHES = 5


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


def chunks(path: Path, *, split: str | None = None, size: int | None = None) -> Blocks:
    """Read one split and cut it into blocks of (n, 3, 32, 32).

    Args:
        path: the folder ``cifar-10-batches-py``, its parent, or ``cifar-10-python.tar.gz``.
        split: ``train`` (``data_batch_*``) or ``test`` (``test_batch``).
        size: scale and crop to (size, size).

    Raises:
        DatasetError: a batch is missing, damaged, of another shape, or asks for anything beyond
            arrays; then nothing of it has run.
    """
    unpacked, temporary = archives.unpacked(path)
    folder = _folder(unpacked)
    parts = [_batch(file) for file in batches(unpacked, split)]
    pixels = np.concatenate([part[0] for part in parts]).reshape(-1, *_SHAPE)
    labels = np.concatenate([part[1] for part in parts])
    classes = _classes(folder / _META)
    check_labels(torch.from_numpy(labels), classes, str(path))
    index = np.arange(len(labels))
    blocks = array_blocks(np.moveaxis(pixels, 1, 3), labels, index, classes, size=size)
    return Blocks(len(labels), blocks, temporary)


def batches(path: Path, split: str | None) -> list[Path]:
    """The files of one split, in row order; arguments and errors as :func:`chunks`."""
    folder = _folder(path)
    files = {
        "train": sorted(folder.glob("data_batch_*")),
        "test": sorted(folder.glob("test_batch")),
    }
    present = [name for name, found in files.items() if found]
    return files[choose_split(split, present, path)]


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write one split's batches to the folder ``path``; the other split there is kept.

    Raises:
        DatasetError: images are not (3, 32, 32), or the split is neither ``train`` nor ``test``.
    """
    split = split or "train"
    if dataset.shape != _SHAPE or split not in ("train", "test"):
        raise DatasetError(
            f"CIFAR batches hold train or test images of {_SHAPE}, not {split} images of "
            f"{dataset.shape}: write another format"
        )
    count = min(_BATCHES, len(dataset))
    names = [f"data_batch_{number + 1}" for number in range(count)]
    names = names if split == "train" else ["test_batch"]
    rows = torch.arange(len(dataset)).tensor_split(len(names))
    with archives.atomic_folder(path, keep=True) as folder:
        for earlier in folder.glob("data_batch_*" if split == "train" else "test_batch"):
            earlier.unlink()
        for name, part in zip(names, rows, strict=True):
            data = dataset.samples[part].contiguous().numpy().reshape(len(part), math.prod(_SHAPE))
            content = {b"data": data, b"labels": dataset.labels[part].tolist()}
            _dump(folder / name, content)
        _dump(folder / _META, {b"label_names": [name.encode() for name in dataset.classes]})


def _dump(path: Path, content: dict[bytes, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(pickle.dumps(content, protocol=2))


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
