"""Tables of a commit beside those of the working tree, in a real repository."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks import changes

CLAIMS = "claim,holds,observed\nfirst,True,3 of 3\nsecond,False,1 of 3\nthird,,no cells\n"
TABLE = "dataset,seed,accuracy,verdict\na,1,0.5,CLAIM\na,2,0.25,CLAIM\nb,1,0.125,CLAIM\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("paper/claims.csv", CLAIMS), ("table.csv", TABLE)):
        write(tmp_path, name, text)
    who = ("-c", "user.name=tests", "-c", "user.email=tests@localhost")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "one")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What it ends with: nothing, or its error."""
    monkeypatch.setattr(sys, "argv", ["changes", *words])
    try:
        changes.main()
    except SystemExit as end:
        return str(end.code)
    return ""


def test_nothing_changed(root, monkeypatch, capsys):
    assert run(monkeypatch) == ""
    assert capsys.readouterr().out.count("All as before.") == 2


def test_cells_that_moved_are_told_and_rows_that_came_and_went(root, monkeypatch, capsys):
    write(root, "table.csv", TABLE.replace("0.5", "0.75").replace("b,1", "b,2"))
    write(root, "other.csv", TABLE)
    assert run(monkeypatch, "HEAD") == ""
    out = capsys.readouterr().out
    assert "- `results/other.csv`: new" in out
    assert "- `results/table.csv`: 1 cells moved, 1 rows new, 1 gone" in out
    assert "  - a, 1, CLAIM: accuracy 0.5 -> 0.75" in out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("first,True", "first,False"), "True -> False"),
        (("first,True", "first,"), "True -> open"),
        (("first,True,3 of 3\n", ""), "True -> -"),
    ],
)
def test_a_claim_that_held_and_does_not_any_more(root, monkeypatch, capsys, change, told):
    write(root, "paper/claims.csv", CLAIMS.replace(*change))
    error = run(monkeypatch)
    assert error == ("error: 1 claims that held do not any more: first (results/paper/claims.csv)")
    assert f"**results/paper/claims.csv first**: {told}" in capsys.readouterr().out


def test_a_table_of_claims_that_is_gone(root, monkeypatch):
    (root / "results/paper/claims.csv").unlink()
    assert "1 claims that held" in run(monkeypatch)


@pytest.mark.parametrize("change", [("second,False", "second,True"), ("third,", "third,True")])
def test_a_claim_that_holds_now_is_no_fault(root, monkeypatch, capsys, change):
    write(root, "paper/claims.csv", CLAIMS.replace(*change))
    assert run(monkeypatch) == ""
    assert "-> True" in capsys.readouterr().out


def test_rows_that_are_alike_are_told_apart_by_their_order(root, monkeypatch, capsys):
    twice = "dataset,value\na,0.5\na,0.25\n"
    write(root, "table.csv", twice)
    before = changes.present(root)
    write(root, "table.csv", twice.replace("0.25", "0.125"))
    cells, new, gone = changes.moved(
        before["results/table.csv"], changes.present(root)["results/table.csv"]
    )
    assert (cells, new, gone) == (["a: value 0.25 -> 0.125"], 0, 0)


def test_no_such_commit(root, monkeypatch):
    error = run(monkeypatch, "nowhere")
    assert error.startswith("error: git ls-tree gives no tables (")
    assert "\n" not in error


def test_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert run(monkeypatch).startswith("error: git ls-tree gives no tables (")
