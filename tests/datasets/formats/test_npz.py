import io
import zipfile

import numpy as np
import pytest

from datadeed.datasets.formats import npz
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.npz_images import DiskImages
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import toy
from tests.datasets.formats.writers import write


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


def test_kerass_names_and_shapes(tmp_path):
    path = tmp_path / "mnist.npz"
    images = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
    np.savez(path, x_train=images, y_train=[[0], [1], [0]], x_test=images[:1], y_test=[2])
    train, test = formats.read(path, split="train"), formats.read(path, split="test")
    assert train.shape == (1, 4, 4)
    assert train.classes == test.classes == ("0", "1", "2")
    assert train.labels.tolist() == [0, 1, 0]
    assert np.array_equal(train.samples[:, 0].numpy(), images)


def test_channels_first_and_last_agree(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), np.uint8)
    np.savez(tmp_path / "last.npz", x=images, y=[0, 1])
    np.savez(tmp_path / "first.npz", x=images.transpose(0, 3, 1, 2), y=[0, 1])
    last, first = (formats.read(tmp_path / f"{name}.npz") for name in ("last", "first"))
    assert last.digest() == first.digest()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((2, 4, 4)), "y": [0, 1]}, "float64: store uint8"),
        ({"x": np.zeros((2, 4), np.uint8), "y": [0, 1]}, "shape"),
        ({"x": np.zeros((2, 4, 4), np.uint8), "y": [0, 1, 1]}, "labels of shape"),
        ({"x": np.zeros((2, 4, 4), np.uint8), "y": [0.0, 1.0]}, "labels of shape"),
        ({"x": np.zeros((2, 4, 4), np.uint8)}, "lacks 'y'"),
        ({"x": np.zeros((2, 4, 4), np.uint8), "y": [0, 1], "index": [0.5, 1]}, "'index'"),
        ({"a": np.zeros((2, 4, 4), np.uint8)}, r"no images among its arrays \(a\): name them x"),
        ({"images": np.zeros((2, 4, 4), np.uint8)}, r"lacks 'labels' \(it has: images\)"),
        ({"x": np.zeros((2, 0, 4), np.uint8), "y": [0, 1]}, "images without pixels"),
        ({"x": np.zeros((2, 4, 4), np.uint8), "y": [[0, 1]] * 2}, r"labels of shape \(2, 2\)"),
        ({"x": np.zeros((2, 4, 4), np.uint8), "y": [0, 2**62]}, "label 4611686018427387904"),
        (
            {"x": np.zeros((2, 4, 4), np.uint8), "y": ["a", "b"], "classes": ["a", "c"]},
            "label 'b' that is not in 'classes'",
        ),
        (
            {"x": np.zeros((2, 4, 4), np.uint8), "y": ["a", "b"], "classes": ["a", "b", "cd"]},
            "labels of <U1, which cannot hold 'cd'",
        ),
        (
            {"x": np.zeros((2, 4, 4), np.uint8), "y": np.array([b"a", b"\xff"])},
            "names that are no text",
        ),
    ],
)
def test_unusable_arrays_are_named(tmp_path, arrays, words):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DatasetError, match=words):
        formats.read(tmp_path / "set.npz")


def images(count=6):
    return np.random.default_rng(count).integers(0, 256, (count, 4, 5), np.uint8)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("{}_images", "{}_labels"), ("train", "val", "test")),  # MedMNIST's
        (("X_{}", "y_{}"), ("train", "test")),
        (("x_{}", "Y_{}"), ("train", "extra")),
        (("{}_data", "{}_targets"), ("train", "valid")),
    ],
)
def test_names_of_splits(tmp_path, names, splits):
    arrays = {}
    for number, split in enumerate(splits):
        labels = np.arange(4 + number, dtype=np.uint8)[:, None]
        arrays |= {names[0].format(split): images(4 + number), names[1].format(split): labels}
    np.savez(tmp_path / "set.npz", **arrays)
    for number, split in enumerate(splits):
        data = formats.read(tmp_path / "set.npz", split=split)
        assert np.array_equal(data.samples[:, 0].numpy(), images(4 + number))
        assert data.labels.tolist() == list(range(4 + number))
        assert data.classes == tuple(map(str, range(3 + len(splits))))
    with pytest.raises(DatasetError, match=f"holds these splits: {', '.join(splits)}"):
        formats.read(tmp_path / "set.npz")


@pytest.mark.parametrize(
    "names", [("x", "y"), ("X", "Y"), ("images", "label"), ("data", "target"), ("arr_0", "arr_1")]
)
def test_names_of_one_split(tmp_path, names):
    labels = np.array([2, 0, 1, 1, 0, 2])
    for stored in (labels, np.array(["ant", "bee", "cat"])[labels]):
        np.savez(tmp_path / "set.npz", **dict(zip(names, (images(), stored), strict=True)))
        data = formats.read(tmp_path / "set.npz")
        assert np.array_equal(data.samples[:, 0].numpy(), images())
        assert data.labels.tolist() == labels.tolist()
        assert data.classes == (("0", "1", "2") if stored is labels else ("ant", "bee", "cat"))


def test_names_of_classes_of_another_split_count(tmp_path):
    y = {"y_train": np.array(["ant", "bee", "ant"]), "y_test": np.array([b"cow"])}
    np.savez(tmp_path / "set.npz", x_train=images(3), x_test=images(1), **y)
    train, test = (formats.read(tmp_path / "set.npz", split=name) for name in ("train", "test"))
    assert train.classes == test.classes == ("ant", "bee", "cow")
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1, 0], [2])


def unknown_compression(data):
    return data.replace(b"PK\x03\x04\x14\0\0\0\0\0", b"PK\x03\x04\x14\0\0\0\x63\0").replace(
        b"PK\x01\x02\x14\x03\x14\0\0\0\0\0", b"PK\x01\x02\x14\x03\x14\0\0\0\x63\0"
    )


def encrypted(data):
    at = data.index(b"PK\x01\x02") + 8
    return data[:at] + b"\1" + data[at + 1 :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (unknown_compression, "compression method is not supported"),
        (encrypted, "encrypted"),
        (lambda data: data.replace(b"arr_1.npy", b"arr_0.npy"), "two members have one name"),
        (lambda data: data.replace(b"'descr'", b"[[[[[[["), "is damaged"),
        (lambda data: data.replace(b"(6, 4, 5)", b"(6, 4,-5)"), "is damaged"),
    ],
)
def test_archives_that_cannot_be_read_are_one_line(tmp_path, damage, words):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in (("arr_0", images()), ("arr_1", np.arange(6))):
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr(f"{name}.npy", stream.getvalue())
    data = path.read_bytes()
    assert damage(data) != data
    path.write_bytes(damage(data))
    with pytest.raises(DatasetError, match=words) as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)


def test_a_member_that_is_no_array_is_passed_over(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x=images(), y=np.arange(6))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels", "none")
        archive.writestr("classes", "none")
        archive.writestr("index", "none")
    assert formats.read(path).labels.tolist() == list(range(6))


def test_truncated_zip_and_pickled_objects_are_refused(tmp_path):
    path, target = tmp_path / "set.npz", tmp_path / "created"
    write(toy(), path, format="npz")
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DatasetError, match=r"set\.npz is damaged"):
        formats.read(path)
    np.savez(path, x=np.array([Bomb(target)], dtype=object), y=[0])
    with pytest.raises(DatasetError, match="more than plain arrays"):
        formats.read(path)
    assert not target.exists()


@pytest.fixture
def on_disk(monkeypatch):
    """Images of any size stay on disk, and are read four rows of 4 x 5 at a time."""
    monkeypatch.setattr("datadeed.datasets.formats.npz.LARGE", 0)
    monkeypatch.setattr("datadeed.datasets.formats.npz_images._BLOCK", 80)


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(11, 4, 5), (11, 4, 5, 3), (11, 3, 4, 5)])
def test_images_on_disk_are_those_of_the_file(tmp_path, save, order, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    save(tmp_path / "set.npz", x=np.array(pixels, order=order), y=np.arange(11) % 3)
    found = npz.open_split(tmp_path / "set.npz")
    assert isinstance(found.pixels, DiskImages)
    wanted = npz.pixels_of(pixels, tmp_path)
    assert np.array_equal(np.stack([one for _, one in found.stream()]), wanted)
    assert np.array_equal(found.pixels[3:7], wanted[3:7])
    data = formats.read(tmp_path / "set.npz")
    assert np.array_equal(data.samples.numpy(), np.moveaxis(wanted, 3, 1))


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("array", [np.zeros((2, 4), np.uint8), np.zeros((2, 4, 4))])
def test_what_is_no_image_is_refused_at_once(tmp_path, array):
    np.savez(tmp_path / "set.npz", x=array, y=[0, 1])
    with pytest.raises(DatasetError, match="has images of"):
        npz.open_split(tmp_path / "set.npz")


@pytest.mark.usefixtures("on_disk")
def test_damage_on_disk_is_one_line(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x=images(), y=np.arange(6))
    path.write_bytes(path.read_bytes().replace(images()[5].tobytes(), bytes(20)))
    with pytest.raises(DatasetError, match=r"set\.npz is damaged .*CRC"):
        next(npz.open_split(path).stream())
