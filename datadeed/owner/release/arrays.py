"""NPZ, IDX and CIFAR's pickles: files that hold a split's pixels as arrays."""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import cifar_pickle, idx, npz
from datadeed.datasets.formats.npz_images import DiskImages, Member
from datadeed.owner.release import pickles
from datadeed.owner.release.edits import Edits, Job


def _edit(pixels: np.ndarray | DiskImages, edits: Edits) -> None:
    """Edit (N, H, W, C) uint8 pixels in place; new labels are in ``edits.moved`` then."""
    edits.advance(len(pixels) - len(edits.rows))
    for row in edits.rows.tolist():
        old = pixels[row].copy()
        new = edits.ask(row, old)
        if new is not None:
            pixels[row] = new
            edits.measure(old, new, pixels[row])
        edits.advance()


def _relabel(labels: np.ndarray, edits: Edits) -> None:
    """Write the new labels into (N,) integers or names, in place."""
    for row, label in edits.moved.items():
        named = labels.dtype.kind in "US"
        labels[row] = npz.stored(edits.classes[label], labels.dtype) if named else label


def write_npz(job: Job) -> None:
    """Write an archive with the same members, order, dates and compression."""
    source, edits = job.source, job.edits
    arrays = npz.load(source)
    names = npz.names_of(job.split, arrays, source)
    pixels, labels = npz.pixels_of(arrays[names.images], source), npz.held(arrays, names.labels)
    _edit(pixels, edits)
    _relabel(labels.reshape(-1), edits)  # a view: Keras stores (N, 1)
    if _rows_may_move(arrays, names) and (order := job.order()) is not None:
        moving = np.flatnonzero(order != np.arange(len(order)))
        pixels[moving] = pixels[order[moving]]
        labels[moving] = labels[order[moving]]
    target = job.place(source)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        new.comment = old.comment
        for info in old.infolist():
            member = zipfile.ZipInfo(info.filename, info.date_time)
            member.compress_type, member.external_attr = info.compress_type, info.external_attr
            member.create_system, member.comment = info.create_system, info.comment
            with old.open(info) as reader, new.open(member, "w", force_zip64=True) as writer:
                name = info.filename.removesuffix(".npy")  # NumPy reads members without it, too
                _write_member(arrays[name] if name in names[:2] else None, reader, writer)
    shutil.copystat(source, target)


def _write_member(edited: npz.Array | None, reader: Any, writer: Any) -> None:
    """Write a member as it was, or an edited array with the header that it had."""
    if edited is None:
        shutil.copyfileobj(reader, writer)
    elif isinstance(edited, Member):
        with edited.file.open("rb") as file:
            shutil.copyfileobj(file, writer, 2**20)
    else:
        writer.write(_npy_header(reader))
        writer.write(np.ravel(edited, order="K").data)


def _rows_may_move(arrays: Mapping[str, npz.Array], names: npz.Names) -> bool:
    """Whether no other array says something of each row, but for numbers in order."""
    rows = len(npz.held(arrays, names.labels))
    index = npz.held(arrays, names.numbers) if names.numbers else np.arange(rows)
    known = {"classes", *(name for split in npz.every_split(arrays).values() for name in split)}
    return bool((np.diff(index) > 0).all()) and not any(
        np.shape(array)[:1] == (rows,)  # other members are bytes
        for name, array in arrays.items()
        if name not in known
    )


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
    _relabel(labels, job.edits)
    if (order := job.order()) is not None:
        images, labels = images[order], labels[order]
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
    """Write a split's batches; only pixels, labels and file names change.

    Raises:
        DatasetError: a batch is pickled in a way that cannot be kept.
    """
    edits, files = job.edits, job.files
    contents = [cifar_pickle.load(file) for file in files]
    pixels = np.concatenate([content[b"data"] for content in contents])
    _edit(np.moveaxis(pixels.reshape(-1, 3, 32, 32), 1, 3), edits)
    labels = edits.labels.copy()
    _relabel(labels, edits)
    texts = [name for content in contents for name in content.get(b"filenames", [])]
    names = [name.decode("latin-1") if isinstance(name, bytes) else str(name) for name in texts]
    if len(names) == len(labels):
        for row, name in job.rename(names).items():
            names[row] = name
    order = job.order()
    if order is not None:
        pixels, labels = pixels[order], labels[order]
        names = [names[row] for row in order.tolist()] if names else []
    first = 0
    for file, content in zip(files, contents, strict=True):
        rows = slice(first, first + len(content[b"labels"]))
        new = pickles.patched(file, pixels[rows], labels[rows].tolist(), names[rows])
        job.place(file).write_bytes(new)
        shutil.copystat(file, job.place(file))
        first = rows.stop
