"""Unfinished work put into a remote and taken from it, as it should be and as it should not."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from dvc_objects.fs.local import LocalFileSystem

from flows.errors import PipelineError
from flows.shelf import LIST, Shelf
from flows.unfinished import Kept, allowed, code_digest, collect, place, unit

WORK = {
    "data/checkpoints/a/1f/checkpoint.safetensors": "epoch 3",
    "data/checkpoints/a/1f/matching/surrogates/2/model.json": "{}",
    "data/studies/x/rows/77.json": "row",
}


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def read(root: Path) -> dict[str, str]:
    found = sorted(path for path in (root / "data").rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text() for path in found}


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    write(tmp_path / "one", WORK)
    return tmp_path / "one", tmp_path / "two"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store" / "unfinished" / "lite-1"


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    return Shelf(LocalFileSystem(), str(folder))


class TestWhatIsUnfinished:
    """Found by where it lies."""

    def test_outputs_and_halves_of_files_are_not(self, tmp_path: Path) -> None:
        more = {
            "data/checkpoints/a/.checkpoint.safetensors.x1": "half of one",
            "data/checkpoints/.incoming/b/1": "of a pull that was killed",
            "data/studies/x/tables/t.csv": "DVC's",
            "data/studies/y/models/m": "in a folder of DVC's",
            "data/models/m": "DVC's",
        }
        write(tmp_path, WORK | more)
        (tmp_path / "data/studies/link").symlink_to("/etc/hostname")
        outs = ["data/studies/x/tables/t.csv", "data/studies/y/models", "data/models/m"]
        assert {file.path: file for file in collect(tmp_path, outs)} == {
            path: Kept(path, hashlib.sha256(text.encode()).hexdigest(), len(text))
            for path, text in WORK.items()
        }

    def test_nothing_is(self, tmp_path: Path) -> None:
        assert collect(tmp_path, []) == []

    def test_more_than_another_machine_takes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, WORK)
        monkeypatch.setattr("flows.unfinished.MOST_FILES", 2)
        with pytest.raises(PipelineError, match="hold 3 files of 0 MiB in all: remove"):
            collect(tmp_path, [])

    def test_another_code_or_scale_has_another_place(self, tmp_path: Path) -> None:
        write(tmp_path, {"params.yaml": "scale: lite", "tasks/a.py": "1", "docs/b.py": "1"})
        before = place(tmp_path)
        assert before == f"unfinished/lite-{code_digest(tmp_path)[:16]}"
        write(tmp_path, {"docs/b.py": "2", "tasks/notes.md": "3"})
        assert place(tmp_path) == before
        write(tmp_path, {"params.yaml": "scale: ../../etc"})
        assert place(tmp_path).startswith("unfinished/..-..-etc-")
        write(tmp_path, {"params.yaml": "scale: lite", "tasks/a.py": "2"})
        assert place(tmp_path) != before

    def test_units(self) -> None:
        assert [unit(path) for path in WORK] == [
            *["data/checkpoints/a"] * 2,
            "data/studies/x/rows/77.json",
        ]


class TestThereAndBack:
    """Pushed by one machine, taken by the other."""

    def test_same_bytes(self, machines: tuple[Path, Path], shelf: Shelf) -> None:
        one, two = machines
        assert shelf.pull(two) == []  # nothing was ever pushed
        files = collect(one, [])
        shelf.push(one, files)
        assert shelf.read_list() == (files, None)
        shelf.write_list(files, 2.5)
        assert shelf.read_list() == (files, 2.5)
        assert shelf.pull(two) == files
        assert read(two) == WORK

    def test_sends_only_what_is_new_and_forgets_what_is_over(
        self, machines: tuple[Path, Path], shelf: Shelf, folder: Path
    ) -> None:
        one, _ = machines
        shelf.push(one, collect(one, []))
        kept = folder / hashlib.sha256(b"row").hexdigest()
        cut = folder / hashlib.sha256(b"{}").hexdigest()
        before = kept.stat().st_ino
        cut.write_bytes(b"{")  # an upload that was cut short
        write(one, {"data/checkpoints/a/1f/checkpoint.safetensors": "epoch 4"})
        shelf.push(one, collect(one, []))
        now = {path.read_text() for path in folder.iterdir() if path.name != LIST}
        assert now == {"epoch 4", "{}", "row"}
        assert kept.stat().st_ino == before

    def test_what_has_begun_here_stays(self, machines: tuple[Path, Path], shelf: Shelf) -> None:
        """Two states of one work are never mixed; finished parts of a study are."""
        one, two = machines
        shelf.push(one, collect(one, []))
        here = {"data/checkpoints/a/1f/checkpoint.safetensors": "epoch 9"}
        write(two, here | {"data/studies/x/rows/88.json": "other row"})
        assert [file.path for file in shelf.pull(two)] == ["data/studies/x/rows/77.json"]
        rows = {"data/studies/x/rows/77.json": "row", "data/studies/x/rows/88.json": "other row"}
        assert read(two) == here | rows

    @pytest.mark.parametrize("most", [0, 1, 2, 3])
    def test_a_push_that_is_cut_short_leaves_what_was_there(
        self, most: int, machines: tuple[Path, Path], shelf: Shelf, folder: Path
    ) -> None:
        one, two = machines
        shelf.push(one, collect(one, []))
        write(one, {path: f"{text} and more" for path, text in WORK.items()})
        with pytest.raises(
            PipelineError, match=r"^\S+ (takes no|cannot be).*: OSError: it is full$"
        ):
            Shelf(Full(most), str(folder)).push(one, collect(one, []))
        shelf.pull(two)
        assert read(two) == WORK


class Full(LocalFileSystem):
    """Takes a number of files more, and no others."""

    def __init__(self, most: int):
        super().__init__()
        self._room = threading.Semaphore(most)

    def put_file(self, *args: Any, **kwargs: Any) -> None:
        if not self._room.acquire(blocking=False):
            raise OSError("it is full")
        super().put_file(*args, **kwargs)


DIGEST = hashlib.sha256(b"row").hexdigest()


def listed(**changed: Any) -> dict[str, Any]:
    file = {"path": "data/studies/x/rows/77.json", "sha256": DIGEST, "size": 3} | changed
    return {"form": 1, "files": [file], "push_seconds": None}


class TestDamage:
    """Refused in one line, and nothing of it is taken."""

    @pytest.mark.parametrize(
        "path",
        [
            *("/etc/passwd", "data/models/m", "data/checkpoints/../../x", "data/studies/./x"),
            *("data/checkpoints//x", "data/checkpoints/", "data/studies/.incoming/x"),
            *("data/studies/a\\b", "data/studies/a\nb", "data/studies/a\0b", "dvc.yaml", ""),
            "data/studies/" + "a" * 1000,
        ],
    )
    def test_paths(self, path: str, shelf: Shelf, folder: Path, tmp_path: Path) -> None:
        assert not allowed(path)
        write(folder, {LIST: json.dumps(listed(path=path))})
        with pytest.raises(PipelineError, match="is refused: no unfinished work has the path"):
            shelf.pull(tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            *("", "{", "[]", "[" * 100_000, "{}", '{"form": 2}', '{"form": 1, "files": 3}'),
            json.dumps(listed(sha256="../../../etc/passwd")),
            json.dumps(listed(sha256=DIGEST[:-1])),
            json.dumps(listed(sha256=7)),
            json.dumps(listed(size=-1)),
            json.dumps(listed(size=True)),
            json.dumps(listed(size=1 << 60)),
            json.dumps(listed(path=["data/studies/x"])),
            json.dumps(listed() | {"files": listed()["files"] * 2}),
            json.dumps(listed() | {"push_seconds": -1}),
            json.dumps(listed() | {"push_seconds": float("nan")}),
            pytest.param(" " * (9 << 20), id="9 MiB"),
        ],
    )
    def test_lists(self, text: str, shelf: Shelf, folder: Path, tmp_path: Path) -> None:
        write(folder, {LIST: text, DIGEST: "row"})
        with pytest.raises(PipelineError, match=r"list.json is refused: .+") as refused:
            shelf.pull(tmp_path)
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("content", ["roe", "ro", "rows", ""])
    def test_files(
        self, content: str, machines: tuple[Path, Path], shelf: Shelf, folder: Path
    ) -> None:
        one, two = machines
        shelf.push(one, collect(one, []))
        (folder / DIGEST).write_text(content)
        with pytest.raises(PipelineError, match=r"of data/studies/x/rows/77.json is damaged$"):
            shelf.pull(two)
        assert read(two) == {}

    def test_a_missing_file(self, machines: tuple[Path, Path], shelf: Shelf, folder: Path) -> None:
        one, two = machines
        shelf.push(one, collect(one, []))
        (folder / DIGEST).unlink()
        with pytest.raises(PipelineError, match="gives no unfinished work: FileNotFoundError: "):
            shelf.pull(two)
        assert read(two) == {}

    def test_a_link_that_leads_elsewhere(
        self, machines: tuple[Path, Path], shelf: Shelf, tmp_path: Path
    ) -> None:
        one, two = machines
        shelf.push(one, [file for file in collect(one, []) if "studies" in file.path])
        (tmp_path / "elsewhere").mkdir()
        (two / "data/studies").mkdir(parents=True)
        (two / "data/studies/x").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PipelineError, match=r"is behind a link that leads elsewhere$"):
            shelf.pull(two)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_no_room(
        self, shelf: Shelf, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(folder, {LIST: json.dumps(listed()), DIGEST: "row"})
        monkeypatch.setattr("flows.shelf.free_bytes", lambda _: 2)
        with pytest.raises(PipelineError, match="0 MiB of unfinished work have no room here"):
            shelf.pull(tmp_path)
