import numpy as np
import pytest

from datadeed.datasets.formats import registry as formats
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
        ({"a": np.zeros((2, 4, 4), np.uint8)}, "splits: none"),
    ],
)
def test_unusable_arrays_are_named(tmp_path, arrays, words):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DatasetError, match=words):
        formats.read(tmp_path / "set.npz")


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
