import errno
import os
import shutil
import signal

import numpy as np
import pytest

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatadeedError, DatasetError
from datadeed.owner.release import staging
from datadeed.owner.release.items import items
from datadeed.owner.release.release import release
from tests.datasets.formats.format_toys import equal
from tests.owner.release.release_toys import invert, run, snapshot, source, wanted

EVERY = pytest.mark.parametrize("name", formats.IMAGE_FORMATS)


@EVERY
def test_the_release_reads_as_wanted_and_the_rest_is_carried_over(tmp_path, name):
    path = source(tmp_path, name)
    (path.parent / "set" / "extra" if path.is_dir() else path.parent).mkdir(exist_ok=True)
    if path.is_dir():
        (path / "README.md").write_text("terms of use")
        (path / "extra" / "empty").mkdir()
    before, ready = snapshot(path.parent), []
    out = tmp_path / "out" / path.name
    result = run(path, out, on_rows=ready.append)
    assert equal(formats.read(out, split="train"), wanted(path))
    assert equal(formats.read(out, split="test"), formats.read(path, split="test"))
    assert snapshot(path.parent) == before
    assert (result.edited, result.relabelled, result.renamed) == (3, 3, 0)
    assert (result.max_difference, result.odd_rows, result.recoded) == (0, (), 0)
    assert ready == sorted(ready)
    assert ready[-1] == 24
    if path.is_dir():
        kept = set(before) if name != "imagefolder" else set()
        assert {f"set/{file}" for file in snapshot(out)} >= kept
        assert (out / "extra" / "empty").is_dir()
        assert (out / "README.md").read_text() == "terms of use"
    assert list(tmp_path.rglob(".*")) == []


@EVERY
def test_what_is_not_edited_keeps_its_bytes_times_and_permissions(tmp_path, name):
    path = source(tmp_path, name)
    one = path if path.is_file() else next(file for file in path.rglob("*") if file.is_file())
    one.chmod(0o640)
    out = tmp_path / "out"
    run(path, out, rows=(1, 4), edit=lambda *_: None)
    pairs = [(path, out)]
    if path.is_dir():
        # Parquet's footer names the writing library, and compressors differ between systems.
        if name in ("imagefolder", "cifar_pickle", "idx"):
            assert snapshot(out) == snapshot(path)
        pairs += [(old, out / old.relative_to(path)) for old in path.rglob("*")]
    if name == "imagefolder":  # one time and the commonest permissions for all of the split
        of_split = [pair for pair in pairs if pair[0] in set(path.glob("train/*/*"))]
        newest = max(old.stat().st_mtime_ns for old, _ in of_split)
        assert {(new.stat().st_mtime_ns, new.stat().st_mode) for _, new in of_split} == {
            (newest, 0o100644)
        }
        pairs = [pair for pair in pairs if pair not in of_split]
    for old, new in pairs:
        assert new.stat().st_mtime_ns == old.stat().st_mtime_ns
        assert new.stat().st_mode == old.stat().st_mode


@EVERY
def test_items_are_rows_in_source_order(tmp_path, name):
    path = source(tmp_path, name)
    found, data = items(path, split="train"), formats.read(path, split="train")
    assert (found.rows, found.classes, found.format) == (24, data.classes, name)
    assert found.labels.tolist() == data.labels.tolist()
    for _ in range(2):
        rows = list(found)
        assert [item.row for item in rows] == list(range(24))
        assert [item.label for item in rows] == data.labels.tolist()
        pixels = np.stack([item.pixels for item in rows])
        assert np.array_equal(pixels, data.samples.permute(0, 2, 3, 1).numpy())
        assert pixels.shape[3] == found.channels == (1 if name == "idx" else 3)


@EVERY
def test_an_edit_is_asked_once_for_each_row_in_order(tmp_path, name):
    path = source(tmp_path, name)
    data, seen = formats.read(path, split="train"), []

    def edit(row, pixels, label):
        assert np.array_equal(pixels, data.samples[row].permute(1, 2, 0))
        assert label == data.labels[row]
        seen.append(row)
        pixels[:] = 0  # its own copy
        return None if row == 7 else (pixels, label)

    result = run(path, tmp_path / "out", rows={19, 7, 2}, edit=edit)
    assert seen == [2, 7, 19]
    assert result.edited == 2
    new = formats.read(tmp_path / "out", split="train", format=name).samples
    assert not new[[2, 19]].any()
    assert (new[7] == data.samples[7]).all()


@EVERY
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda pixels: (pixels[1:], 0), "row 4 did not return uint8 pixels"),
        (lambda pixels: (pixels / 1.0, 0), "row 4 did not return uint8 pixels"),
        (lambda pixels: (pixels, 3), "row 4 returned label 3: there are 3"),
    ],
)
def test_a_wrong_edit_leaves_nothing(tmp_path, name, answer, message):
    path = source(tmp_path, name)
    with pytest.raises(DatasetError, match=message):
        run(path, tmp_path / "out", edit=lambda row, p, y: answer(p) if row == 4 else None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]


@EVERY
def test_a_full_disk_leaves_nothing_and_says_so_in_one_line(tmp_path, name, monkeypatch):
    path = source(tmp_path, name)
    before = snapshot(path.parent)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copystat", full)
    with pytest.raises(DatadeedError, match=r"no space left while writing .*out") as caught:
        run(path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]
    assert snapshot(path.parent) == before


def test_a_killed_run_leaves_no_release_and_the_next_one_cleans_up(tmp_path):
    path = source(tmp_path, "imagefolder")

    def die(row, pixels, label):
        if row == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return invert(row, pixels, label)

    child = os.fork()
    if child == 0:
        try:
            run(path, tmp_path / "out", edit=die)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert sorted(file.name for file in tmp_path.iterdir()) == [".out.partial", "source"]
    run(path, tmp_path / "out")
    assert equal(formats.read(tmp_path / "out", split="train"), wanted(path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out", "source"]


def test_two_runs_do_not_make_one_release(tmp_path):
    path = source(tmp_path, "npz")
    with staging.staged(tmp_path / "out") as stage:
        with pytest.raises(DatasetError, match="another run is making"):
            run(path, tmp_path / "out")
        assert stage.is_dir()
        (stage / "content").mkdir()
    assert (tmp_path / "out").is_dir()


def test_places_that_overlap_or_are_taken_are_refused(tmp_path):
    path = source(tmp_path, "imagefolder")
    (tmp_path / "taken").mkdir()
    (tmp_path / "alias").symlink_to(path)
    for out, message in [
        (tmp_path / "taken", "exists"),
        (path, "exists"),
        (path / "inside", "lie in each other"),
        (tmp_path / "alias" / "inside", "lie in each other"),
    ]:
        with pytest.raises(DatasetError, match=message):
            run(path, out)
    assert not (path / "inside").exists()


@pytest.mark.parametrize("rows", [[-1, 2], [0, 24]])
def test_rows_out_of_range_are_refused(tmp_path, rows):
    path = source(tmp_path, "npz")
    with pytest.raises(DatasetError, match=r"were chosen of 24"):
        run(path, tmp_path / "out.npz", rows=rows)


def test_no_rows_give_a_copy(tmp_path):
    path = source(tmp_path, "imagefolder")
    result = run(path, tmp_path / "out", rows=())
    assert snapshot(tmp_path / "out") == snapshot(path)
    assert (result.edited, result.mean_difference) == (0, 0)


def test_links_out_of_the_source_and_pipes_are_refused(tmp_path):
    path = source(tmp_path, "imagefolder")
    secret = tmp_path / "secret.txt"
    secret.write_text("not part of the dataset")
    for make, message in [
        (lambda link: link.symlink_to(secret), "is a link to a folder or out of the dataset"),
        (lambda link: link.symlink_to(path / "test"), "is a link to a folder or out"),
        (os.mkfifo, "is neither a file nor a folder"),
    ]:
        make(path / "odd")
        with pytest.raises(DatasetError, match=message):
            run(path, tmp_path / "out")
        (path / "odd").unlink()
    inner = path / "notes.txt"
    (path / "real.txt").write_text("terms")
    inner.symlink_to("real.txt")
    run(path, tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "terms"
    assert not (tmp_path / "out" / "notes.txt").is_symlink()


def test_an_archive_is_to_be_unpacked_first(tmp_path):
    path = source(tmp_path, "imagefolder")
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", path)
    with pytest.raises(DatasetError, match=r"set\.zip is an archive: unpack it"):
        run(archive, tmp_path / "out")


@EVERY
def test_a_damaged_source_is_named_and_nothing_is_made(tmp_path, name):
    path = source(tmp_path, name)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    for file in files:
        file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DatasetError) as caught:
        run(path, tmp_path / "out", format=name)
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]


def test_same_generator_same_release(tmp_path):
    path = source(tmp_path, "imagefolder")
    for out in ("a", "b"):
        release(
            path,
            tmp_path / out,
            rows=np.array([3, 9]),
            edit=invert,
            split="train",
            generator=np.random.default_rng(5),
        )
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
