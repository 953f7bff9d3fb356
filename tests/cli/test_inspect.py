"""``datadeed inspect``: what it prints and exits with, on clean and on marked data."""

from pathlib import Path

import pytest

from datadeed.datasets.formats.registry import read
from datadeed.owner.inspect import inspect
from tests.cli.world import run
from tests.conftest import toy
from tests.datasets.formats.writers import write

ROWS, MARKS = 480, 96


@pytest.fixture(scope="module", params=["npz", "imagefolder"])
def owner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a key of six parts, and the release, a fifth of it marked."""
    root = tmp_path_factory.mktemp("owner")
    source = root / {"npz": "source.npz", "imagefolder": "source"}[request.param]
    write(toy(ROWS, classes=4, shape=(3, 16, 16)), source, format=request.param)
    out = source.with_name("released" + source.suffix)
    design = ("--parts", "6", "--alpha", "1e-2", "--rate", str(MARKS / ROWS), "--few-marks")
    design += ("--carrier", "patch")
    done = run("watermark", source, "--out", out, "--key", root / "key.json", *design)
    assert done.code == 0, done.err
    return source


def test_clean_data_give_no_alarm(owner: Path) -> None:
    done = run("inspect", owner)
    assert done.code == 0, done.out
    assert done.out.splitlines()[-1].startswith("no row sticks out")


def test_marked_data_do_and_the_key_says_how_many_are_found(owner: Path) -> None:
    released = owner.with_name("released" + owner.suffix)
    done = run(
        "inspect", released, "--key", owner.with_name("key.json"), "--source", owner, "--json"
    )
    assert done.code == 3, done.err
    said = done.json()
    assert (said["rows"], said["marks"], said["alarm"]) == (ROWS, MARKS, True)
    by_name = {finding["name"]: finding for finding in said["findings"]}
    assert by_name["patches"]["found"] > MARKS / 2  # of some keys a patch or two is too plain
    assert by_name["patches"]["auc"] > 0.7
    assert by_name["patches"]["recall"] == pytest.approx(48 / MARKS)  # a tenth is dropped
    assert by_name["patches"]["precision"] == 1
    assert by_name["held-out-loss"]["found"] is None
    assert run("inspect", released, "--rate", "0.9").code == 0


def test_the_table(owner: Path) -> None:
    done = run("inspect", owner.with_name("released" + owner.suffix))
    lines = done.out.splitlines()
    assert lines[0].split() == ["stick", "out", "share", "most", "of"]
    assert any(line.startswith("patches") and " x" in line for line in lines)
    assert "marks would be found (limit 0.50%); inspect the unmarked data, too" in lines[-1]


def test_what_does_not_go_together(owner: Path) -> None:
    assert "a key needs the source" in run("inspect", owner, "--key", "key.json").err
    assert "a rate of 2.0: give a share" in run("inspect", owner, "--rate", "2").err
    done = run("inspect", owner, "--key", owner.with_name("key.json"), "--source", owner)
    assert "a sample that the key marks" in done.err


def test_data_in_memory_and_few_rows(owner: Path) -> None:
    notes: list[str] = []
    found = inspect(read(owner).slice(0, 40), note=notes.append)
    assert notes == ["40 rows are too few to train on: cleaners that need a network are left out"]
    assert [one.name for one in found.findings] == ["order", "windows", "patches", "fft-peaks"]


def test_options_of_the_format_are_taken(tmp_path: Path) -> None:
    """A release with damaged files, which were carried over, is inspected like another."""
    source = tmp_path / "photos"
    write(toy(120, classes=2, shape=(3, 8, 8)), source, format="imagefolder")
    broken = sorted(source.rglob("*.png"))[3:5]
    for file in broken:
        file.write_bytes(file.read_bytes()[:40])
    refused = run("inspect", source)
    assert (refused.code, [file.name in refused.err for file in broken]) == (1, [True, True])
    done = run("inspect", source, "--skip-damaged", "--json")
    assert done.json()["rows"] == 118, done.err


def test_a_detector_that_finds_nothing_names_no_class(owner: Path) -> None:
    lines = run("inspect", owner).out.splitlines()
    assert [line for line in lines if line.split()[1:2] == ["0"]] == [
        line for line in lines if line.rstrip().endswith("0.00%")
    ]
