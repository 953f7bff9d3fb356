"""NPZ, IDX and CIFAR's pickles: files that hold a split's pixels as arrays."""

import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import cifar_pickle, idx, npz
from datadeed.errors import DatasetError
from datadeed.owner.release import pickles
from datadeed.owner.release.edits import Edits, Job


def _edit(pixels: np.ndarray, edits: Edits) -> None:
    """Edit (N, H, W, C) uint8 pixels in place; new labels are in ``edits.moved`` then."""
    edits.advance(len(pixels) - len(edits.rows))
    for row in edits.rows.tolist():
        old = pixels[row].copy()
        new = edits.ask(row, old)
        if new is not None:
            pixels[row] = new
            edits.measure(old, new, pixels[row])
        edits.advance()


def _relabel(labels: np.ndarray, edits: Edits, source: Path) -> None:
    """Write the new labels into (N,) integers, in place."""
    largest = max(edits.moved.values(), default=0)
    if largest > np.iinfo(labels.dtype).max:
        raise DatasetError(
            f"{source} has labels of {labels.dtype}, which cannot hold {largest}: store wider ones"
        )
    for row, label in edits.moved.items():
        labels[row] = label


def write_npz(job: Job) -> None:
    """Write an archive with the same members, order, dates and compression."""
    source, edits = job.source, job.edits
    arrays = npz.load(source)
    suffix = npz.suffix_of(job.split, arrays, source)
    x, y = f"x{suffix}", f"y{suffix}"
    _edit(npz.pixels_of(arrays[x], source), edits)
    _relabel(arrays[y].reshape(-1), edits, source)  # a view: Keras stores (N, 1)
    changed = {f"{name}.npy": arrays[name] for name in (x, y)}
    target = job.place(source)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        new.comment = old.comment
        for info in old.infolist():
            member = zipfile.ZipInfo(info.filename, info.date_time)
            member.compress_type, member.external_attr = info.compress_type, info.external_attr
            member.create_system, member.comment = info.create_system, info.comment
            with old.open(info) as reader, new.open(member, "w", force_zip64=True) as writer:
                if info.filename in changed:
                    writer.write(_npy_header(reader))
                    writer.write(np.ravel(changed[info.filename], order="K").data)
                else:
                    shutil.copyfileobj(reader, writer)
    shutil.copystat(source, target)


def _npy_header(reader: Any) -> bytes:
    """Everything before an array's values (NumPy's NPY format, versions 1 to 3)."""
    start = reader.read(8)
    size = reader.read(2 if start[6] == 1 else 4)
    return start + size + reader.read(int.from_bytes(size, "little"))


def write_idx(job: Job) -> None:
    """Write a split's images and labels, with the gzip header that they had."""
    stored = zip(job.files, ("images", "labels"), strict=True)
    images, labels = (idx.read_array(file, kind).copy() for file, kind in stored)
    _edit(images[..., None], job.edits)
    _relabel(labels, job.edits, job.source)
    for file, array in zip(job.files, (images, labels), strict=True):
        data = idx.encode(array)
        job.place(file).write_bytes(_gzipped(data, file) if file.suffix == ".gz" else data)
        shutil.copystat(file, job.place(file))


def _gzipped(data: bytes, like: Path) -> bytes:
    """``data`` in one gzip member with the header of another file (RFC 1952, section 2.3)."""
    with like.open("rb") as file:
        fixed = file.read(10)
        flags, speed = fixed[3], fixed[8]
        extra = file.read(2) if flags & 4 else b""
        extra += file.read(int.from_bytes(extra, "little"))
        texts = [_to_zero(file) for flag in (8, 16) if flags & flag]  # name, comment
        checksum = file.read(2) if flags & 2 else b""
    level = {2: 9, 4: 1}.get(speed, 6)
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data) + packer.flush()
    tail = struct.pack("<2I", zlib.crc32(data), len(data) % 2**32)
    return b"".join([fixed, extra, *texts, checksum, body, tail])


def _to_zero(file: Any) -> bytes:
    text = b""
    while (byte := file.read(1)) not in (b"", b"\0"):
        text += byte
    return text + b"\0"


def write_cifar(job: Job) -> None:
    """Write a split's batches; only pixels, labels and the file names of moved rows change.

    Raises:
        DatasetError: a batch is pickled in a way that cannot be kept.
    """
    edits, files = job.edits, job.files
    contents = [cifar_pickle.load(file) for file in files]
    pixels = np.concatenate([content[b"data"] for content in contents])
    _edit(np.moveaxis(pixels.reshape(-1, 3, 32, 32), 1, 3), edits)
    texts = [name for content in contents for name in content.get(b"filenames", [])]
    names = [name.decode("latin-1") if isinstance(name, bytes) else str(name) for name in texts]
    renamed = job.rename(names) if len(names) == len(edits.labels) else {}
    first = 0
    for file, content in zip(files, contents, strict=True):
        size = len(content[b"labels"])
        rows = range(first, first + size)
        new = pickles.patched(
            file,
            pixels[first : first + size],
            {row - first: edits.moved[row] for row in rows if row in edits.moved},
            {row - first: renamed[row].name for row in rows if row in renamed},
        )
        job.place(file).write_bytes(new)
        shutil.copystat(file, job.place(file))
        first += size
