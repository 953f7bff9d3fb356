"""Folders of class folders: which are splits, which files are rows, and what is refused."""

import os

import pytest

from datadeed.datasets.formats import class_folders, imagefolder
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.split_folders import split_named
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import save


class TestSplitFolders:
    """Taken for classes, splits would be mixed; and a class may be called as a split is."""

    def splits(self, root, *names, classes=("ant", "bee")):
        for value, name in enumerate(names):
            for folder in classes:
                save(root / name / folder / "x.png", value=value)

    @pytest.mark.parametrize(
        ("train", "test"),
        [
            ("Train", "Test"),
            ("Training", "Testing"),
            ("train", "dev"),
            ("train", "evaluation"),
            ("seg_train", "seg_test"),
            ("train2017", "val2017"),
            ("TrainImages", "TestImages"),
        ],
    )
    def test_that_are_called_otherwise_are_asked_for(self, tmp_path, train, test):
        self.splits(tmp_path, train, test)
        with pytest.raises(DatasetError, match="look like splits") as found:
            formats.read(tmp_path)
        assert train in str(found.value)
        assert test in str(found.value)
        assert not isinstance(found.value, SeveralSplits)  # which an owner's command would settle
        for value, name in enumerate((train, test)):
            for asked in (name, split_named(name)):
                data = formats.read(tmp_path, split=asked)
                assert data.classes == ("ant", "bee")
                assert set(data.samples.unique().tolist()) == {value}

    @pytest.mark.parametrize("beside", ["annotations", "extra", "docs"])
    def test_and_a_folder_beside_them(self, tmp_path, beside):
        self.splits(tmp_path, "train", "test")
        (tmp_path / beside).mkdir()
        if beside == "extra":
            save(tmp_path / beside / "x.png")
        with pytest.raises(DatasetError, match=r"look like splits \(test, train\)"):
            formats.read(tmp_path)
        assert len(formats.read(tmp_path, split="train")) == 2

    def test_classes_may_be_called_so(self, tmp_path):
        for name in ("car", "plane", "train", "test tube"):
            save(tmp_path / name / "x.png")
        assert formats.read(tmp_path).classes == ("car", "plane", "test tube", "train")

    def test_and_be_listed(self, tmp_path):
        self.splits(tmp_path, "train", "car", classes=("old", "new"))
        with pytest.raises(DatasetError, match=r"look like splits \(train\)"):
            formats.read(tmp_path)
        assert formats.read(tmp_path, classes=["car", "train"]).classes == ("car", "train")

    def test_two_of_one_split_are_refused(self, tmp_path):
        self.splits(tmp_path, "train", "Training")
        with pytest.raises(DatasetError, match="several folders of a split"):
            formats.read(tmp_path, split="test")
        with pytest.raises(DatasetError, match="several folders of a split"):
            formats.read(tmp_path, split="trainset")
        assert len(formats.read(tmp_path, split="Training")) == 2


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", ".thumbnails", "@eaDir", "__MACOSX"])
def test_copies_in_hidden_folders_are_no_rows(tmp_path, hidden):
    for name in ("ant/x.png", "bee/x.png", f"ant/{hidden}/x.png", f"{hidden}/ant/x.png"):
        save(tmp_path / name)
    data = formats.read(tmp_path)
    assert data.classes == ("ant", "bee")
    assert data.labels.tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".jpeg", ".jpe", ".jfif", ".jif"])
def test_every_name_of_a_jpeg_is_read(tmp_path, suffix):
    for name in "ab":
        save(tmp_path / name / f"x{suffix}", suffix="JPEG")
    assert len(formats.read(tmp_path)) == 2


def test_other_files_of_classes_are_counted(tmp_path):
    for name in ("a/x.png", "b/y.png"):
        save(tmp_path / name)
    for name in ("a/x.xml", "a/deep/x.XML", "b/LICENSE", "b/.hidden", "root.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image")
    found = imagefolder.open_split(tmp_path)
    assert dict(found.beside) == {".xml": 2, "without suffix": 1}


def test_a_pipe_among_the_images_does_not_hang(tmp_path):
    save(tmp_path / "a" / "x.png")
    save(tmp_path / "b" / "x.png")
    os.mkfifo(tmp_path / "a" / "y.png")
    with pytest.raises(DatasetError, match=r"y\.png is no file"):
        formats.read(tmp_path)


def test_names_that_are_not_utf_8_are_refused(tmp_path):
    save(tmp_path / "a" / "x.png")
    save(tmp_path / "b" / "x.png")
    (tmp_path / class_folders.ORDER).write_bytes(b"\xff\n")
    with pytest.raises(DatasetError, match="is not UTF-8 text"):
        formats.read(tmp_path)
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(DatasetError, match="whose name is not UTF-8"):
        formats.read(tmp_path)


@pytest.mark.parametrize("name", ["@", "@home", "_", "__", "#", "~"])
def test_odd_names_are_classes_all_the_same(tmp_path, name):
    save(tmp_path / "a" / "x.png")
    save(tmp_path / name / "x.png")
    assert set(formats.read(tmp_path).classes) == {"a", name}
