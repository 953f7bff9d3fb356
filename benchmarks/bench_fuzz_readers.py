"""Damaged files of every format: a reader reads them or says one line, and nothing else.

    FUZZ=20000 python -m pytest -s benchmarks/bench_fuzz_readers.py -k wav

FUZZ is how many files of each base are damaged. One in ten that was read is also released or
refused, and what was released is read back. The damage follows from the base's name and the
file's number.
"""

import contextlib
import gzip
import os
import shutil
import signal
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

from datadeed.datasets.formats import idx
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatadeedError
from datadeed.owner.release.release import release
from tests.datasets.formats.format_toys import toy
from tests.datasets.formats.text_toys import TEXTS, write_csv, write_jsonl, write_parquet
from tests.datasets.formats.wav_toys import chunk, clips, flac_bytes, noise, wav_bytes
from tests.datasets.formats.writers import write

COUNT = int(os.environ.get("FUZZ", "100"))
SECONDS = 20  # that one file may take
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)


def _sounds(root, data):
    """A folder in which the last file is damaged."""
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        (root / name / "x.wav").write_bytes(wav_bytes(noise(20)))
    (root / "b" / "x.wav").write_bytes(data)
    return root, root / "b" / "x.wav"


def _wav(root):
    return _sounds(root, wav_bytes(noise(20, 2), before=chunk(b"LIST", b"INFOx")))


def _extensible(root):
    return _sounds(root, wav_bytes(noise(20, 1, "<i3"), "<i3", extensible=True))


def _flac(root):
    return _sounds(root, flac_bytes(noise(200, 2)))


def _npz(root):
    root.mkdir()
    pixels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    np.savez(root / "x.npz", x=pixels, y=["ant", "bee"] * 2, classes=["ant", "bee"])
    return root / "x.npz", root / "x.npz"


def _packed_npz(root):
    write(toy(4, (1, 3, 3)), root / "x.npz", format="npz")
    return root / "x.npz", root / "x.npz"


def _idx(root, name="train-images-idx3-ubyte"):
    write(toy(6, (1, 3, 3)), root, format="idx")
    for file in list(root.glob("*.gz")):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    return root, root / name


def _idx_labels(root):
    return _idx(root, "train-labels-idx1-ubyte")


def _idx_names(root):
    return _idx(root, idx.NAMES)


def _packed_idx(root):
    write(toy(6, (1, 3, 3)), root, format="idx")
    return root, root / "train-images-idx3-ubyte.gz"


def _images(root):
    write(toy(4, (3, 5, 5)), root, format="imagefolder")
    return root, max(root.rglob("*.png"))


def _csv(root):
    file = write_csv(root / "x.csv", [(text, number % 2) for number, text in enumerate(TEXTS)])
    return file, file


def _jsonl(root):
    rows = [{"text": text, "label": number % 2} for number, text in enumerate(TEXTS)]
    file = write_jsonl(root / "x.jsonl", rows)
    return file, file


def _text_parquet(root):
    columns = {"text": TEXTS, "label": [number % 2 for number in range(len(TEXTS))]}
    file = write_parquet(root / "x.parquet", columns)
    return file, file


def _parquet(root):
    root.mkdir()
    write(toy(4, (3, 5, 5)), root / "x.parquet", format="huggingface")
    return root / "x.parquet", root / "x.parquet"


def _parquet_audio(root):
    root.mkdir()
    write(clips(4, 30), root / "x.parquet", format="parquet_audio")
    return root / "x.parquet", root / "x.parquet"


BASES = {
    "wav": (_wav, "wavfolder"),
    "extensible": (_extensible, "wavfolder"),
    "flac": (_flac, "wavfolder"),
    "npz": (_npz, "npz"),
    "packed-npz": (_packed_npz, "npz"),
    "idx": (_idx, "idx"),
    "idx-labels": (_idx_labels, "idx"),
    "idx-names": (_idx_names, "idx"),
    "packed-idx": (_packed_idx, "idx"),
    "png": (_images, "imagefolder"),
    "csv": (_csv, "csv"),
    "jsonl": (_jsonl, "jsonl"),
    "parquet": (_parquet, "huggingface"),
    "parquet-audio": (_parquet_audio, "parquet_audio"),
    "text-parquet": (_text_parquet, "text_parquet"),
}


def damaged(data, draw):
    """Bytes with one to four places changed, cut, doubled or moved."""
    for _ in range(draw.integers(1, 5)):
        # Headers lie at both ends.
        far = draw.integers(len(data) + 1)
        at = int(draw.choice([far, min(far, draw.integers(64)), max(0, len(data) - far % 64)]))
        size = int(draw.integers(1, 9))
        number = struct.pack(draw.choice(["<Q", ">Q"]), int(draw.choice(NUMBERS)))
        number = number[:4] if number[4:] == bytes(4) else number[4:]
        flipped = bytes(byte ^ 1 << int(draw.integers(8)) for byte in data[at : at + 1])
        kind = draw.integers(7)
        twice = data[at : at + size] * 2
        middle = (flipped, draw.bytes(size), number, number, b"", twice, b"")[kind]
        rest = data[at + (len(middle) if kind < 4 else size) :]
        data = data[:at] if kind == 6 else data[:at] + middle + rest
    return data


def _sums_made_right(data):
    """A zip whose members' sums are right again, so that damage reaches what reads them."""
    made, at = bytearray(data), 0
    while (at := data.find(b"PK\3\4", at)) >= 0 and at + 30 <= len(data):
        size, name, extra = struct.unpack_from("<I4xHH", data, at + 18)
        start = at + 30 + name + extra
        sum_now = struct.pack("<I", zlib.crc32(data[start : start + size]))
        made = bytearray(bytes(made).replace(data[at + 14 : at + 18], sum_now))
        at += 4
    return bytes(made)


@contextlib.contextmanager
def _in_time():
    def late(*_):
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _turned(_, sample, label):
    turned = sample[::-1]
    return (turned if isinstance(sample, str) else turned.copy()), label


def _check(path, name, out):
    """Read, and if it can be read, release and read again.

    Returns:
        Whether all that was asked for could be done; if not, one line was said.
    """
    sound = {"seconds": 0.01} if name in ("wavfolder", "parquet_audio") else {}
    try:
        data = formats.read(path, format=name, **sound)
        if out is not None:
            last, draw = (len(data) - 1,), np.random.default_rng(0)
            release(path, out, rows=last, edit=_turned, generator=draw, format=name)
    except DatadeedError as error:
        if "\n" in str(error):
            raise ValueError("more than one line") from error
        return False
    if out is not None:
        assert len(formats.read(out, format=name, **sound)) == len(data)
    return True


@pytest.mark.parametrize("base", BASES)
def bench_damage_is_read_or_said_in_one_line(base, tmp_path):
    make, name = BASES[base]
    path, file = make(tmp_path / "set")
    whole, read = file.read_bytes(), 0
    (tmp_path / "whole").mkdir()
    assert _check(path, name, tmp_path / "whole" / path.name)
    for number in range(COUNT):
        draw = np.random.default_rng([zlib.crc32(base.encode()), number])
        data = damaged(whole, draw)
        file.write_bytes(_sums_made_right(data) if base == "npz" and number % 2 else data)
        out = tmp_path / "out" / path.name if number % 10 == 0 else None
        try:
            with _in_time(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read += _check(path, name, out)
        except BaseException:
            kept = Path(os.environ.get("FUZZ_KEEP", tmp_path)) / f"{base}-{number}"
            kept.write_bytes(file.read_bytes())
            print(f"{base} {number}: kept as {kept}")
            raise
        finally:
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
    print(f"{base}: {read} of {COUNT} damaged files were read")
