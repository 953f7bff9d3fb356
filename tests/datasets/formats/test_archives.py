import io
import os
import stat
import tarfile
import zipfile

import pytest

from datadeed.datasets.formats import archives
from datadeed.errors import DatasetError

CLIMBING = ["../out.png", "/tmp/out.png", "a/../../out.png", "..\\out.png", "C:\\out.png"]


def tar_with(path, name, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    info.size = 3 if kind == tarfile.REGTYPE else 0
    with tarfile.open(path, "w:gz") as file:
        file.addfile(info, io.BytesIO(b"abc") if info.size else None)


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_paths_that_climb_out_are_refused(tmp_path, name, suffix):
    archive = tmp_path / "in" / f"set.{suffix}"
    archive.parent.mkdir()
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("good.png", b"abc")
            file.writestr(zipfile.ZipInfo(name), b"abc")
    else:
        tar_with(archive, name)
    with pytest.raises(DatasetError, match="climbs out of its folder") as caught:
        archives.extract(archive, tmp_path / "in" / "set")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", archive.name]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar_are_refused(tmp_path, kind):
    tar_with(tmp_path / "set.tar.gz", "good.png", kind)
    with pytest.raises(DatasetError, match="link or a device"):
        archives.extract(tmp_path / "set.tar.gz", tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_links_in_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("good.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(DatasetError, match="link or a device"):
        archives.extract(tmp_path / "set.zip", tmp_path / "set")


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_archives_leave_nothing(tmp_path, suffix, damage):
    archive = tmp_path / f"set.{suffix}"
    content = os.urandom(5000)
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a.png", content)
    else:
        with tarfile.open(archive, "w:gz") as file:
            info = tarfile.TarInfo("a.png")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    data = bytearray(archive.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    archive.write_bytes({"truncated": data[:3000], "flipped": data, "empty": b""}[damage])
    with pytest.raises(DatasetError, match="is damaged") as caught:
        archives.extract(archive, tmp_path / "set")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_an_archive_too_big_for_the_disk_is_refused_beforehand(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(10**6))
    usage = archives.shutil.disk_usage(tmp_path)._replace(free=10**5)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DatasetError, match="room for 100000"):
        archives.extract(tmp_path / "set.zip", tmp_path / "set")
    assert not (tmp_path / "set").exists()
