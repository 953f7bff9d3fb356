"""The library as a notebook sees it, and what ``pip install .`` installs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from setuptools import find_packages

import datadeed
from tests.cli.world import World, thief
from tests.datasets.formats.writers import write

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def photos(n: int, seed: int) -> datadeed.Dataset:
    """Two classes of 16x16 colour images that differ in colour."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(0, 2, n))
    images = torch.from_numpy(rng.integers(40, 60, (n, 16, 16, 3)).astype(np.uint8))
    images[:, 4:12, 4:12, 0] += (100 * labels).to(torch.uint8).view(-1, 1, 1)
    return datadeed.Dataset(images.permute(0, 3, 1, 2), labels, torch.arange(n), ("day", "night"))


def test_every_public_name_loads() -> None:
    for name in datadeed.__all__:
        assert getattr(datadeed, name) is not None
    assert set(datadeed.__all__) == set(dir(datadeed))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = datadeed.nothing


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", datadeed.__version__)
    line = [sys.executable, "-m", "datadeed", "--version"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"datadeed {datadeed.__version__}\n"


def test_a_folder_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise datadeed.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    assert datadeed.__version__ == "unknown"


def test_the_library_alone_is_installed() -> None:
    """And whole: a package without its ``__init__.py`` would be left out."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = find_packages(str(ROOT), **settings["tool"]["setuptools"]["packages"]["find"])
    folders = {path.parent for path in (ROOT / "datadeed").rglob("*.py")}
    assert set(found) == {".".join(folder.relative_to(ROOT).parts) for folder in folders}


def test_readme_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(example.strip().splitlines()) <= 24
    for split, n, seed in (("train", 800, 1), ("test", 400, 2)):
        write(photos(n, seed), tmp_path / "photos" / split, format="imagefolder")
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert capsys.readouterr().out.startswith("CLAIM")


def test_notebook_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/notebook.md").read_text()
    before, ask, prove, progress = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    world, names = World(tmp_path, size=16).make(), {}
    monkeypatch.chdir(tmp_path)
    exec(before, names)
    world.recorded(thief, "thief")
    exec(ask, names)
    assert "\nCLAIM " in capsys.readouterr().out
    exec(prove, names)
    lines = capsys.readouterr().out.splitlines()
    kinds = [line.split()[0] for line in lines]
    assert (kinds.count("check"), kinds.count("premise")) == (9, 4)
    assert set(kinds) == {"check", "field", "premise"}
    assert not any(line.startswith("check FAILED") for line in lines)
    assert sum(line.startswith("check passed") for line in lines) == 6
    exec(progress, names)
    with names["progress"]("read", 9) as advance:
        advance(3)
    assert capsys.readouterr().out == "read: 3 of 9\r"
