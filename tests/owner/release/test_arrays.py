import gzip
import io
import pickle
import struct
import zipfile
from typing import ClassVar

import numpy as np
import pytest

from datadeed.datasets.formats import cifar_pickle, idx
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.release.edits import Manner
from tests.owner.release.release_toys import OLD, invert, run, source

NAMES = [
    ("x", "y"),
    ("X", "y"),
    ("images", "labels"),
    ("data", "target"),
    ("arr_0", "arr_1"),
    ("X_train", "Y_train"),
    ("train_images", "train_labels"),
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(9, 6, 5), (9, 6, 5, 3), (9, 3, 6, 5)])
@pytest.mark.parametrize("large", [0, 2**24])  # bytes from which on images stay on disk
def test_npz_keeps_layout_order_compression_and_dates(tmp_path, monkeypatch, large, shape, order):
    monkeypatch.setattr("datadeed.datasets.formats.npz.LARGE", large)
    path = tmp_path / "set.npz"
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = np.array([[0], [1], [2]] * 3, dtype=np.int32)
    arrays = {"note": np.array(["ours"]), "y": labels, "x": np.array(pixels, order=order)}
    np.savez(path, **arrays, extra=np.arange(4.0))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("terms.txt", (2001, 2, 3, 4, 5, 6))
        archive.writestr(info, "of use")
        archive.comment = b"release 1"
    (tmp_path / "named").mkdir()
    out = tmp_path / "named" / "set.npz"
    run(path, out, split=None, rows=(2, 8))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out) as new:
        assert old.comment == new.comment
        for one, two in zip(old.infolist(), new.infolist(), strict=True):
            for field in ("filename", "date_time", "compress_type", "external_attr", "file_size"):
                assert getattr(one, field) == getattr(two, field)
            if one.filename not in ("x.npy", "y.npy"):
                assert old.read(one) == new.read(two)
            else:
                assert old.read(one)[:100] == new.read(two)[:100]  # NumPy's header
    wanted, read = pixels.copy(), np.load(out)
    wanted[[2, 8]] = 255 - wanted[[2, 8]]
    assert np.array_equal(read["x"], wanted)
    assert read["x"].flags.f_contiguous == (order == "F")
    assert read["y"].dtype == np.int32
    assert read["y"].ravel().tolist() == [0, 1, 0, 0, 1, 2, 0, 1, 0]


def test_a_label_that_the_dtype_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "set.npz"
    x, y = np.zeros((4, 2, 2), np.uint8), np.arange(4, dtype=np.int8)
    np.savez(path, x=x, y=y, classes=np.array([f"c{i}" for i in range(201)]))
    with pytest.raises(DatasetError, match="labels of int8, which cannot hold 200"):
        run(path, tmp_path / "out.npz", split=None, rows=(2,), edit=lambda _, p, y: (p, 200))
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("dtype", ["<u1", ">i8", "<U4", "S4"])
def test_npz_under_any_names_is_written_again_under_them(tmp_path, names, dtype):
    path = tmp_path / "set.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 6, 5), np.uint8)
    labels = np.array(["ant", "bee", "gnat"] if dtype[-2] in "US" or dtype[0] == "S" else [0, 1, 2])
    labels = np.tile(labels, 3).astype(dtype)[:, None]
    arrays = dict(zip(names, (pixels, labels), strict=True))
    np.savez(path, **arrays)
    split = "train" if "train" in names[0].lower() else None
    run(path, tmp_path / "out.npz", split=split, rows=(2, 7))
    old, new = formats.read(path, split=split), formats.read(tmp_path / "out.npz", split=split)
    assert new.classes == old.classes
    assert [row for row in range(9) if (old.samples[row] != new.samples[row]).any()] == [2, 7]
    assert new.labels.tolist() == [0, 1, 0, 0, 1, 2, 0, 2, 2]
    with np.load(path) as one, np.load(tmp_path / "out.npz") as other:
        assert one.files == other.files
        assert all(one[name].dtype == other[name].dtype for name in names)


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED])
def test_npz_of_any_packer_with_members_of_any_suffix_is_marked(tmp_path, kind):
    path, pixels = tmp_path / "set.npz", np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, array in (("x", pixels), ("y", np.array([0, 1, 0, 1], np.uint8))):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, version=(2, 0))
            archive.writestr(name, stream.getvalue())
    run(path, tmp_path / "out.npz", split=None, rows=(2,), edit=invert)
    pixels[2] = 255 - pixels[2]
    with np.load(tmp_path / "out.npz") as read:
        assert np.array_equal(read["x"], pixels)
        assert read["y"].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("level", [1, 9])
def test_idx_keeps_the_gzip_header(tmp_path, level):
    path = source(tmp_path, "idx")
    file = path / "train-images-idx3-ubyte.gz"
    data = gzip.decompress(file.read_bytes())
    with (
        file.open("wb") as raw,
        gzip.GzipFile("train-images-idx3-ubyte", "wb", level, raw, mtime=OLD) as packed,
    ):
        packed.write(data)
    header = file.read_bytes()[:10]
    # As other tools write it: an extra field, a comment and a checksum of the header.
    longer = bytes([*header[:3], header[3] | 4 | 16 | 2, *header[4:]])
    name = b"train-images-idx3-ubyte\0"
    longer += struct.pack("<H", 3) + b"abc" + name + b"by us\0" + b"zz"
    file.write_bytes(longer + file.read_bytes()[10 + len(name) :])
    run(path, tmp_path / "out")
    new = (tmp_path / "out" / file.name).read_bytes()
    assert new[: len(longer)] == longer
    images = idx.read_array(tmp_path / "out" / file.name, "images")
    wanted = idx.read_array(file, "images").copy()
    wanted[[1, 4, 23]] = 255 - wanted[[1, 4, 23]]
    assert np.array_equal(images, wanted)


def test_plain_idx_stays_plain(tmp_path):
    path = source(tmp_path, "idx")
    for file in list(path.glob("train*.gz")):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    run(path, tmp_path / "out", rows=(0,), edit=lambda _, p, y: (p, 2))
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(
        file.name for file in path.iterdir()
    )
    old, new = ((at / "train-labels-idx1-ubyte").read_bytes() for at in (path, tmp_path / "out"))
    assert new == old[:8] + b"\2" + old[9:]
    images = "train-images-idx3-ubyte"
    assert (tmp_path / "out" / images).read_bytes() == (path / images).read_bytes()


@pytest.mark.parametrize("large", [0, 2**24])
def test_rows_in_class_order_stand_among_their_new_class(tmp_path, monkeypatch, large):
    monkeypatch.setattr("datadeed.datasets.formats.npz.LARGE", large)
    path, n = tmp_path / "set.npz", 3000
    pixels = np.random.default_rng(0).integers(0, 256, (n, 2, 2), np.uint8)
    labels = np.repeat([2, 0, 1], n // 3)
    test = {"x_test": pixels, "y_test": labels}  # as many, and another split's
    index = np.arange(n) * 2
    np.savez(path, x_train=pixels, y_train=labels, index_train=index, **test)
    rows = range(0, n, 13)
    result = run(path, tmp_path / "out.npz", rows=rows)
    read = np.load(tmp_path / "out.npz")
    assert (np.diff(read["y_train"]) != 0).sum() == 2
    assert np.array_equal(read["index_train"], index)
    assert np.array_equal(read["y_test"], labels)
    changed = labels.copy()
    changed[rows] = (changed[rows] + 1) % 3
    inverted = pixels.copy()
    inverted[rows] = 255 - inverted[rows]

    def pairs(x, y):
        return sorted((one.tobytes(), int(label)) for one, label in zip(x, y, strict=True))

    assert pairs(read["x_train"], read["y_train"]) == pairs(inverted, changed)
    assert len(rows) < result.replaced < 3 * len(rows)
    stay = {"manner": Manner(reorder=False)}
    assert run(path, tmp_path / "as-it-was.npz", rows=rows, **stay).replaced == 0
    assert np.array_equal(np.load(tmp_path / "as-it-was.npz")["y_train"], changed)
    np.savez(path, x_train=pixels, y_train=labels, weight=np.arange(n))
    assert run(path, tmp_path / "another.npz", rows=rows).replaced == 0  # it says more of each row


class Python2Pickler(pickle._Pickler):  # the one in Python, which can be changed
    """Writes bytes as Python 2 wrote its text, as in the published batches."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        short = len(value) < 256
        length = struct.pack("<B" if short else "<i", len(value))
        self.write((pickle.SHORT_BINSTRING if short else pickle.BINSTRING) + length + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


def batch(number, n=6):
    draw = np.random.default_rng(number)
    return {
        b"batch_label": b"training batch %d of 2" % number,
        b"labels": [(row + number) % 3 for row in range(n)],
        b"data": draw.integers(0, 256, (n, 3072), np.uint8),
        b"filenames": [
            b"%s_s_%06d.png" % ((b"tabby", b"pug", b"toad")[(row + number) % 3], row + 9 * number)
            for row in range(n)
        ],
    }


@pytest.fixture
def published(tmp_path):
    """A folder of batches as Python 2 pickled them."""
    folder = tmp_path / "set" / cifar_pickle.FOLDER
    folder.mkdir(parents=True)
    for name, content in [
        ("data_batch_1", batch(1)),
        ("data_batch_2", batch(2)),
        ("test_batch", batch(3)),
        ("batches.meta", {b"label_names": [b"cat", b"dog", b"frog"]}),
    ]:
        with (folder / name).open("wb") as file:
            Python2Pickler(file, 2).dump(content)
    return tmp_path / "set"


def test_published_cifar_batches_keep_their_form(published, tmp_path):
    result = run(published, tmp_path / "out", rows=(8, 11))
    old, new = published / cifar_pickle.FOLDER, tmp_path / "out" / cifar_pickle.FOLDER
    for name in ("test_batch", "batches.meta"):
        assert (new / name).read_bytes() == (old / name).read_bytes()
    assert result.relabelled == 2
    with (new / "data_batch_2").open("rb") as file:
        read = pickle.load(file, encoding="latin1")  # noqa: S301 - made here; as loaders read it
    wanted = batch(2)
    wanted[b"data"][[2, 5]] = 255 - wanted[b"data"][[2, 5]]
    assert list(read) == ["batch_label", "labels", "data", "filenames"]
    assert np.array_equal(read["data"], wanted[b"data"])
    labels = wanted[b"labels"]
    labels[2], labels[5] = (labels[2] + 1) % 3, (labels[5] + 1) % 3
    assert read["labels"] == labels
    for row, name in enumerate(read["filenames"]):
        assert name.startswith(("tabby", "pug", "toad")[labels[row]])
    # Nothing but the values changed: same length but for the names.
    sizes = [(at / "data_batch_2").stat().st_size for at in (old, new)]
    grown = sum(map(len, read["filenames"])) - sum(map(len, wanted[b"filenames"]))
    assert sizes[1] - sizes[0] == grown


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("text", [True, False])
def test_batches_of_any_binary_pickle(published, tmp_path, protocol, text):
    file = published / cifar_pickle.FOLDER / "data_batch_2"
    content = batch(2)
    if text:
        content = {key.decode(): value for key, value in content.items()}
        content["filenames"] = [name.decode() for name in content["filenames"]]
    file.write_bytes(pickle.dumps(content, protocol))
    run(published, tmp_path / "out", rows=(8, 11))
    old, new = formats.read(published, split="train"), formats.read(tmp_path / "out", split="train")
    changed = [row for row in range(12) if not (old.samples[row] == new.samples[row]).all()]
    assert changed == [8, 11]
    assert (new.samples[8] == 255 - old.samples[8]).all()
    assert [row for row in range(12) if old.labels[row] != new.labels[row]] == [8, 11]


def test_a_batch_in_a_form_that_cannot_be_kept_is_refused(published, tmp_path):
    file = published / cifar_pickle.FOLDER / "data_batch_2"
    file.write_bytes(pickle.dumps(batch(2), 0))
    with pytest.raises(DatasetError, match="pickled in a way that cannot be kept"):
        run(published, tmp_path / "out", rows=(8,), edit=invert)
    assert not (tmp_path / "out").exists()
