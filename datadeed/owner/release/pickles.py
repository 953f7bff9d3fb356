"""A CIFAR batch with other values, patched into the pickle's own bytes.

Python 2 wrote the published batches, and today's ``pickle`` cannot write the same form: keys would
come back as bytes where every loader expects text. So the opcodes stay, and only the values of
pixels, labels and file names are replaced. Nothing is executed: the opcodes are listed, and the
result is read back by the restricted unpickler.
"""

import pickle
import pickletools
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

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


def patched(
    file: Path, pixels: np.ndarray, labels: Mapping[int, int], names: Mapping[int, str]
) -> bytes:
    """The pickle in ``file`` with other pixels, and other labels and file names in some rows.

    Args:
        file: a batch that :func:`cifar_pickle.load` reads.
        pixels: (N, 3072) uint8, all rows.
        labels: new labels by row of the batch.
        names: new file names by row of the batch.

    Raises:
        DatasetError: the batch is pickled in a way that this cannot keep.
    """
    content = cifar_pickle.load(file)
    old = file.read_bytes()
    if not labels and not names and np.array_equal(content[b"data"], pixels):
        return old
    wanted = [labels.get(row, label) for row, label in enumerate(content[b"labels"])]
    try:
        new = b"".join(_operations(old, pixels, labels, names))
        read = cifar_pickle.unpickle(new)
    except (pickle.UnpicklingError, ValueError, KeyError, struct.error) as error:
        raise _refused(file) from error
    same = np.array_equal(read[b"data"], pixels) and read[b"labels"] == wanted
    for row, name in names.items():
        found = read[b"filenames"][row]
        same &= name == (found.decode("latin-1") if isinstance(found, bytes) else found)
    if not same or read.keys() != content.keys():
        raise _refused(file)
    return new


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
