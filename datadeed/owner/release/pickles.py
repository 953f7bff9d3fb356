"""A CIFAR batch with other values, patched into the pickle's own bytes.

Python 2 wrote the published batches, and today's ``pickle`` cannot write the same form: keys would
come back as bytes where every loader expects text. So the opcodes stay, and only the values of
pixels, labels and file names are replaced. Nothing is executed: the opcodes are listed, and the
result is read back by the restricted unpickler.
"""

import pickle
import pickletools
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import cifar_pickle
from datadeed.errors import DatasetError

_INTEGERS = {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1"}
_BYTES = {"SHORT_BINSTRING", "BINSTRING", "STRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
_TEXT = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
# Opcodes with a length before the value, and that length's form.
_LENGTH = {
    "SHORT_BINSTRING": "<B",
    "BINSTRING": "<i",
    "SHORT_BINBYTES": "<B",
    "BINBYTES": "<I",
    "BINBYTES8": "<Q",
    "SHORT_BINUNICODE": "<B",
    "BINUNICODE": "<I",
    "BINUNICODE8": "<Q",
}


def patched(file: Path, pixels: np.ndarray, labels: Sequence[int], names: Sequence[str]) -> bytes:
    """The pickle in ``file`` with other pixels, labels and file names.

    Args:
        file: a batch that :func:`cifar_pickle.load` reads.
        pixels: (N, 3072) uint8, all rows.
        labels: all rows'.
        names: all rows' file names; without any, the batch's own stay.

    Raises:
        DatasetError: the batch is pickled in a way that this cannot keep.
    """
    content = cifar_pickle.load(file)
    old = file.read_bytes()
    before = list(map(_text, content.get(b"filenames", [])))
    new_labels = _changed(content[b"labels"], labels)
    new_names = _changed(before, names) if names else {}
    if not new_labels and not new_names and np.array_equal(content[b"data"], pixels):
        return old
    try:
        new = b"".join(_operations(old, pixels, new_labels, new_names))
        read = cifar_pickle.unpickle(new)
    except (pickle.UnpicklingError, ValueError, KeyError, struct.error) as error:
        raise _refused(file) from error
    same = np.array_equal(read[b"data"], pixels) and read[b"labels"] == list(labels)
    same &= list(map(_text, read.get(b"filenames", []))) == (list(names) or before)
    if not same or read.keys() != content.keys():
        raise _refused(file)
    return new


def _text(name: bytes | str) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else name


def _changed(old: Sequence[Any], new: Sequence[Any]) -> dict[int, Any]:
    return {row: one for row, one in enumerate(new) if one != old[row]}


def _refused(file: Path) -> DatasetError:
    return DatasetError(
        f"{file} is pickled in a way that cannot be kept: get the published batches, or convert "
        "the dataset to another format"
    )


def _operations(
    data: bytes, pixels: np.ndarray, labels: Mapping[int, int], names: Mapping[int, str]
) -> Iterator[bytes]:
    """The pickle's operations, one by one, with the new values."""
    operations = list(pickletools.genops(data))
    ends = [start for _, _, start in operations[1:] if start is not None] + [len(data)]
    key, row = "", 0
    for (opcode, value, start), end in zip(operations, ends, strict=True):
        kind = opcode.name
        own = data[start:end]
        is_text = kind in _BYTES or kind in _TEXT
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if kind == "FRAME":  # its length would change; frames are optional
            continue
        if is_text and text in ("data", "labels", "filenames", "batch_label"):
            key, row = text, 0
        elif is_text and key == "data" and len(text) == pixels.size:
            own = _string(kind, pixels.tobytes().decode("latin-1"))
        elif kind in _INTEGERS and key == "labels":
            own = _integer(labels[row]) if row in labels else own
            row += 1
        elif is_text and key == "filenames" and text != "latin1":
            own = _string(kind, names[row]) if row in names else own
            row += 1
        yield own


def _string(kind: str, text: str) -> bytes:
    """A string's operation, as the one it replaces; the text is Latin-1."""
    if kind not in _LENGTH:
        raise ValueError(f"{kind} has no length")
    value = text.encode("utf-8" if kind in _TEXT else "latin-1")
    if len(value) > 255 and _LENGTH[kind] == "<B":
        raise ValueError("a name is too long")
    return _code(kind) + struct.pack(_LENGTH[kind], len(value)) + value


def _integer(value: int) -> bytes:
    return _code("BININT1") + struct.pack("<B", value)


def _code(kind: str) -> bytes:
    code: bytes = getattr(pickle, kind)
    return code
