import pickle
import tarfile

import numpy as np
import pytest
import torch

from datadeed.datasets.formats import cifar_pickle
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import equal, toy
from tests.datasets.formats.writers import write


class Bomb:
    """Creates a file when unpickled without care."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / cifar_pickle.FOLDER
    write(toy(10, (3, 32, 32)), path, format="cifar_pickle", split="train")
    write(toy(4, (3, 32, 32), seed=1), path, format="cifar_pickle", split="test")
    return path


def test_batches_that_python_2_wrote(folder):
    """The published files name NumPy's old module and hold an old form of its dtype."""
    data = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    old = pickle.dumps({"data": data, "labels": [0, 1]}, protocol=2)
    old = old.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (folder / "test_batch").write_bytes(old)
    read = formats.read(folder, split="test")
    assert torch.equal(read.samples.flatten(), torch.from_numpy(data).flatten())


def test_archive_parent_and_folder_read_alike(folder, tmp_path):
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    for path in (folder, folder.parent, archive):
        assert formats.detect(path) == "cifar_pickle"
        assert equal(formats.read(path, split="train"), toy(10, (3, 32, 32)))


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
def test_a_pickle_that_runs_code_is_refused_before_it_runs(folder, tmp_path, protocol, name):
    target = tmp_path / "created"
    (folder / name).write_bytes(pickle.dumps({"data": Bomb(target)}, protocol))
    with pytest.raises(DatasetError, match=rf"{name} was refused .*(io|__builtin__)\.open"):
        formats.read(folder, split="test" if name == "test_batch" else "train")
    assert not target.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n.",
        b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.",
        b"]q\x00.",
        b"",
        b"\x80\x02}q",
    ],
)
def test_other_pickles_are_refused_in_one_line(folder, code):
    (folder / "test_batch").write_bytes(code)
    with pytest.raises(DatasetError, match="test_batch") as caught:
        formats.read(folder, split="test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"data": np.zeros((2, 5), np.uint8), "labels": [0, 1]},
        {"data": np.zeros((2, 3072)), "labels": [0, 1]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [0]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": ["a", "b"]},
        {"labels": [0, 1]},
    ],
)
def test_batches_of_another_shape_are_refused(folder, content):
    (folder / "test_batch").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DatasetError, match="is not a batch"):
        formats.read(folder, split="test")


def test_missing_files_and_other_images(folder, tmp_path):
    (folder / "test_batch").unlink()
    with pytest.raises(DatasetError, match="no split 'test'"):
        formats.read(folder, split="test")
    (folder / "batches.meta").unlink()
    with pytest.raises(DatasetError, match=r"batches\.meta is missing"):
        formats.read(folder, split="train", format="cifar_pickle")
