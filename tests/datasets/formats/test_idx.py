import gzip
import struct

import numpy as np
import pytest

from datadeed.datasets.formats import idx
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import equal, toy
from tests.datasets.formats.writers import write

IMAGES = "train-images-idx3-ubyte.gz"


def test_bytes_are_those_of_the_format():
    image = np.array([[[1, 2], [3, 4]]], np.uint8)
    assert idx.encode(image) == bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])
    assert idx.encode(np.array([5], np.uint8)) == bytes([0, 0, 8, 1, 0, 0, 0, 1, 5])


def test_plain_files_and_dotted_names_read_too(tmp_path):
    data = toy(6, (1, 4, 4))
    write(data, tmp_path, format="idx")
    packed = tmp_path / IMAGES
    (tmp_path / "train-images.idx3-ubyte").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert equal(formats.read(tmp_path), data)
    (tmp_path / idx.NAMES).unlink()
    assert formats.read(tmp_path).classes == ("0", "1", "2")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data[:40] + bytes([data[40] ^ 0xFF]) + data[41:],
        lambda data: b"not gzip",
        lambda data: b"",
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        lambda data: gzip.compress(gzip.decompress(data) + b"x"),
        lambda data: gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 2**31)),
        lambda data: gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, 3) + b"abc"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, damage):
    write(toy(6, (1, 9, 9)), tmp_path, format="idx")
    file = tmp_path / IMAGES
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DatasetError, match=IMAGES) as caught:
        formats.read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(6, 0, 4), (6, 4, 0), (0, 4, 4)])
def test_images_without_pixels_are_refused(tmp_path, shape):
    write(toy(6, (1, 4, 4)), tmp_path, format="idx")
    (tmp_path / IMAGES).write_bytes(gzip.compress(idx.encode(np.zeros(shape, np.uint8))))
    with pytest.raises(DatasetError, match="without pixels" if shape[0] else "0 train images"):
        formats.read(tmp_path)


def test_more_classes_than_a_byte_counts_are_refused(tmp_path):
    write(toy(6, (1, 4, 4)), tmp_path, format="idx")
    (tmp_path / idx.NAMES).write_text("".join(f"c{number}\n" for number in range(257)))
    with pytest.raises(DatasetError, match="labels of uint8, which cannot hold 256"):
        formats.read(tmp_path)
    (tmp_path / idx.NAMES).write_bytes(b"\xff\xfe\n")
    with pytest.raises(DatasetError, match=r"classes\.txt is not UTF-8"):
        formats.read(tmp_path)


def test_images_and_labels_must_agree(tmp_path):
    write(toy(6, (1, 4, 4)), tmp_path, format="idx")
    labels = idx.encode(np.zeros(5, np.uint8))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    with pytest.raises(DatasetError, match="6 train images but 5 labels"):
        formats.read(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match="lacks the train labels"):
        formats.read(tmp_path)
