"""Nothing but the samples tells which rows of a release are marked.

Marked rows are a tenth of 4,000: the AUC of a detector that knows nothing has a standard deviation
of .015, and seeds are fixed.
"""

import json
import os
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.stats import rankdata

from datadeed.errors import DatasetError
from datadeed.owner.release import neutral
from datadeed.owner.release.edits import Manner
from datadeed.owner.release.items import items
from datadeed.owner.release.order import regrouped, tells
from datadeed.thieves.metadata.listing import read_listing
from datadeed.thieves.metadata.registry import DETECTORS, build_detector
from tests.datasets.formats.wav_toys import noise, wav_bytes
from tests.owner.release.release_toys import run

N, CLASSES, MOST = 4000, 5, 0.55
ROWS = np.sort(np.random.default_rng(11).choice(N, N // 10, replace=False)).tolist()


def blocks(row):
    """A picture that says its row: four digits, each the grey of a quarter; with noise."""
    digits = [row // 1000, row // 100 % 10, row // 10 % 10, row % 10]
    grey = np.array(digits, dtype=np.uint8).reshape(2, 2) * 20 + 40
    noise = np.random.default_rng(row).integers(-6, 7, (16, 16))
    return (greys(grey) + noise).astype(np.uint8)


def greys(four):
    """(2, 2) values, each over a quarter."""
    return np.repeat(np.repeat(four, 8, axis=0), 8, axis=1)


def digits_of(pixels):
    """The digits that a picture says, (2, 2)."""
    means = pixels[..., 0].astype(float).reshape(2, 8, 2, 8).mean((1, 3))
    return np.rint((means - 40) / 20).astype(int)


def number_of(pixels):
    """The row that a picture says."""
    return int(digits_of(pixels).ravel() @ [1000, 100, 10, 1])


def relabel(row, sample, label):
    """Another class, and the noise the other way: a mark that no statistic of pixels tells."""
    grey = greys(digits_of(sample) * 20 + 40)[..., None]
    sample = (2 * grey - sample.astype(int)).clip(0, 255).astype(np.uint8)
    return sample, (label + 1 + row % (CLASSES - 1)) % CLASSES


def source_of(folder, form):
    """A source in class order, with a scheme of names where files have some."""
    labels = np.repeat(np.arange(CLASSES), N // CLASSES)
    colours = [np.repeat(blocks(row)[..., None], 3, axis=2) for row in range(N)]
    path = folder / "source"
    path.mkdir()
    if form in ("png", "jpeg", "parquet"):
        for row, label in enumerate(labels):
            file = path / f"n{label}" / f"n{label}_{row % (N // CLASSES)}.{form}"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(colours[row]).save(file, "PNG" if form == "png" else "JPEG")
            os.utime(file, (10**9 + row, 10**9 + row))
    if form == "parquet":
        files = sorted(path.rglob("*.parquet"), key=lambda file: file.stat().st_mtime)
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        stored = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
        columns = {"image": pa.array(stored, kind), "label": labels}
        pq.write_table(pa.table(columns), folder / "set.parquet", row_group_size=700)
        return folder / "set.parquet"
    if form == "npz":
        np.savez(path / "set.npz", x=np.stack(colours), y=labels)
        return path / "set.npz"
    if form == "idx":
        pixels = np.stack([blocks(row) for row in range(N)])
        head = struct.pack(">4i", 2051, *pixels.shape)
        (path / "train-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = struct.pack(">2i", 2049, N)
        (path / "train-labels-idx1-ubyte").write_bytes(head + labels.astype(np.uint8).tobytes())
    return path


def auc(scores, marked):
    ranks, n = rankdata(scores), marked.sum()
    return (ranks[marked].sum() - n * (n + 1) / 2) / (n * (len(marked) - n))


def found(out, marked):
    """The AUC of every detector that applies, the way that it ranks."""
    listing, result = read_listing(out), {}
    for name in DETECTORS:
        detector = build_detector(name)
        scores = detector(listing)
        if scores is not None:
            one = auc(scores, marked)
            result[name] = max(one, 1 - one) if detector.signed else one
    return result


@pytest.mark.parametrize("form", ["png", "jpeg", "npz", "idx", "parquet"])
def test_no_detector_finds_rows_whose_label_changed(tmp_path, form):
    path = source_of(tmp_path, form)
    out = tmp_path / "out" / path.name
    out.parent.mkdir()
    result = run(path, out, rows=ROWS, edit=relabel, split=None)
    assert result.relabelled == len(ROWS)
    rows = np.array([number_of(item.pixels) for item in items(out)])
    assert sorted(rows.tolist()) == list(range(N))  # nothing is lost
    marked = np.isin(rows, ROWS)
    aucs = found(out, marked)
    if form in ("png", "jpeg"):
        assert {"inodes", "ctimes", "mtimes", "names", "sizes", "headers"} <= set(aucs)
    assert max(aucs.values()) <= MOST, aucs
    labels = items(out).labels
    before = np.repeat(np.arange(CLASSES), N // CLASSES)
    assert (labels[marked] != before[rows[marked]]).all()
    assert (labels[~marked] == before[rows[~marked]]).all()


def test_the_detectors_find_them_where_rows_keep_their_places(tmp_path):
    path = source_of(tmp_path, "npz")
    stay = {"manner": Manner(reorder=False)}
    run(path, tmp_path / "out.npz", rows=ROWS, edit=relabel, split=None, **stay)
    marked = np.isin(np.arange(N), ROWS)
    assert found(tmp_path / "out.npz", marked)["order"] > 0.95


def test_sounds_that_keep_their_label(tmp_path):
    path, rows = tmp_path / "source", 1000
    for row in range(rows):
        file = path / f"c{row % 2}" / f"c{row % 2}_{row // 2}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wav_bytes(noise(40 + row % 7)))
    chosen = list(range(3, rows, 9))
    run(path, tmp_path / "out", rows=chosen, edit=lambda _, s, y: (s[::-1].copy(), y), split=None)
    changed = [
        one.read_bytes() != (path / one.relative_to(tmp_path / "out")).read_bytes()
        for one in read_listing(tmp_path / "out").files
    ]
    assert sum(changed) == len(chosen)
    aucs = found(tmp_path / "out", np.array(changed))
    assert {"inodes", "ctimes", "mtimes", "sizes"} <= set(aucs)
    assert max(aucs.values()) <= MOST, aucs


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_texts_that_keep_their_label_keep_their_places(tmp_path, form):
    path, rows = tmp_path / f"set.{form}", 1000
    records = [(f"text number {row}", row % 3) for row in range(rows)]
    lines = {
        "csv": ["text,label"] + [f"{text},{label}" for text, label in records],
        "jsonl": [json.dumps({"text": text, "label": label}) for text, label in records],
    }
    path.write_text("\n".join(lines[form]) + "\n")
    chosen = list(range(3, rows, 9))
    out = tmp_path / f"out.{form}"
    run(path, out, rows=chosen, edit=lambda _, text, y: (text[::-1], y), split=None)
    old, new = path.read_text().splitlines(), out.read_text().splitlines()
    first = len(old) - rows
    assert [row for row in range(rows) if old[first + row] != new[first + row]] == chosen
    aucs = found(out, np.isin(np.arange(rows), chosen))
    assert max(aucs.values()) <= MOST, aucs


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        (np.repeat(np.arange(5), 600), True),
        (np.arange(3000) % 5, True),
        (np.random.default_rng(0).integers(0, 5, 3000), False),
        (np.random.default_rng(0).permutation(np.repeat([0, 1], [2900, 100])), False),
        (np.repeat(np.random.default_rng(1).integers(0, 5, 300), 10), True),
        (np.array([0, 1]), False),
    ],
)
def test_an_order_tells_or_does_not(labels, seen):
    assert tells(labels) == seen
    generator = np.random.default_rng(2)
    moved = {row: (int(labels[row]) + 1) % 5 for row in range(0, len(labels), 7)}
    order = regrouped(labels, moved, generator)
    assert sorted(order.tolist()) == list(range(len(labels)))


def test_a_file_that_would_replace_another_is_refused(tmp_path):
    neutral.create([tmp_path / "a" / "x.png"])
    with pytest.raises(DatasetError, match=r"two files would become x\.png in class a"):
        neutral.create([tmp_path / "a" / "x.png"])
