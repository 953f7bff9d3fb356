import tarfile
import zipfile

import pytest
import torch

from datadeed.datasets.formats import class_folders, imagefolder
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import equal, save, toy
from tests.datasets.formats.writers import write


def test_classes_are_sorted_names_and_index_the_row(tmp_path):
    for name in ("zebra/b.png", "ant/y.jpg", "ant/deep/x.png", "zebra/notes.txt"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("not an image")
        else:
            save(tmp_path / name)
    data = formats.read(tmp_path)
    assert data.classes == ("ant", "zebra")
    assert data.labels.tolist() == [0, 0, 1]
    assert data.index.tolist() == [0, 1, 2]


def test_numbered_names_that_repeat_are_no_index(tmp_path):
    for name in ("a/0001.png", "a/0002.png", "b/0001.png"):
        save(tmp_path / name)
    assert formats.read(tmp_path).index.tolist() == [0, 1, 2]


def test_grey_stays_grey_and_mixed_becomes_colour(tmp_path):
    save(tmp_path / "a" / "x.png", (4, 4))
    save(tmp_path / "b" / "y.png", (4, 4), value=9)
    assert formats.read(tmp_path).shape == (1, 4, 4)
    save(tmp_path / "b" / "z.png", (4, 4, 3), value=5)
    data = formats.read(tmp_path)
    assert data.shape == (3, 4, 4)
    assert data.samples[:, :, 0, 0].tolist() == [[7] * 3, [9] * 3, [5] * 3]


def test_mixed_sizes_name_the_first_odd_file_unless_scaled(tmp_path):
    save(tmp_path / "a" / "x.png", (4, 4, 3))
    save(tmp_path / "b" / "odd.png", (6, 9, 3))
    with pytest.raises(DatasetError, match=r"odd\.png is 9 x 6 .*x\.png is 4 x 4.*'size'"):
        formats.read(tmp_path)
    assert formats.read(tmp_path, size=5).shape == (3, 5, 5)


def test_classes_can_be_chosen_by_name_or_number(tmp_path):
    for name in "abcd":
        save(tmp_path / name / "x.png", value=ord(name))
    data = formats.read(tmp_path, classes=["c", "a"])
    assert data.classes == ("c", "a")
    assert data.samples[:, 0, 0, 0].tolist() == [ord("c"), ord("a")]
    assert formats.read(tmp_path, format="imagefolder", classes=2).classes == ("a", "b")
    with pytest.raises(DatasetError, match=r"lacks 1 .*'z'"):
        imagefolder.open_split(tmp_path, classes=["a", "z"])
    with pytest.raises(DatasetError, match="4 classes, not 9"):
        imagefolder.open_split(tmp_path, classes=9)


def test_broken_images_are_named(tmp_path):
    save(tmp_path / "a" / "x.png")
    save(tmp_path / "b" / "y.png")
    whole = (tmp_path / "b" / "y.png").read_bytes()
    (tmp_path / "b" / "y.png").write_bytes(whole[:-30])
    with pytest.raises(DatasetError, match=r"y\.png is not a whole image"):
        formats.read(tmp_path)
    (tmp_path / "a" / "x.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"x\.png is not a whole image"):
        formats.read(tmp_path)


def test_class_names_never_leave_the_folder(tmp_path):
    data = toy(classes=("..", "../../up", "/root"))
    write(data, tmp_path / "in" / "set", format="imagefolder")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert equal(formats.read(tmp_path / "in" / "set"), data)


def test_a_class_order_that_does_not_fit_is_refused(tmp_path):
    write(toy(), tmp_path / "set", format="imagefolder")
    (tmp_path / "set" / class_folders.ORDER).write_text("cat\ndog\n")
    with pytest.raises(DatasetError, match="does not list the folders"):
        formats.read(tmp_path / "set")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_read_like_folders_and_leave_nothing(tmp_path, kind, monkeypatch):
    write(toy(), tmp_path / "set", format="imagefolder", split="train")
    write(toy(5), tmp_path / "set", format="imagefolder", split="test")
    archive = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in (tmp_path / "set").rglob("*"):
                file.write(path, path.relative_to(tmp_path))
    else:
        with tarfile.open(archive, "w:gz") as file:
            file.add(tmp_path / "set", "set")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    assert formats.detect(archive) == "imagefolder"
    data = formats.read(archive, split="test")
    assert torch.equal(data.samples, toy(5).samples)
    assert list(scratch.iterdir()) == []
