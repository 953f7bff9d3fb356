"""The pages of the published methods: their commands work, and they name every option."""

import runpy
from pathlib import Path

import pytest
import torch

from datadeed.cli.methods import methods
from datadeed.datasets.form.clips import Clips
from datadeed.models.stored import save_model
from tests.cli.world import run
from tests.conftest import toy
from tests.datasets.formats.writers import write

METHODS = methods()
DOCS = Path(__file__).parents[2] / "docs/methods"


@pytest.fixture
def surrogate(tmp_path, tiny_model):
    """A model for the owner's data."""
    model = tiny_model(shape=(3, 16, 16), classes=4, width=4)
    save_model(model, tmp_path / "surrogate", {})
    return tmp_path / "surrogate"


def test_the_page_of_methods_works_as_written(tmp_path, surrogate, monkeypatch, capsys):
    for split, seed in (("train", 0), ("test", 1)):
        images = toy(40, classes=4, shape=(3, 16, 16), seed=seed)
        write(images, tmp_path / "photos", format="imagefolder", split=split)
    surrogate.rename(tmp_path / "suspect")
    monkeypatch.chdir(tmp_path)
    console, _, python = _blocks((DOCS / "README.md").read_text())
    (command,) = (line[2:] for line in console.splitlines() if line.startswith("$ "))
    assert run(*command.split()[1:]).code == 0
    (tmp_path / "look.py").write_text(python)
    runpy.run_path(str(tmp_path / "look.py"))
    accuracy, success = map(float, capsys.readouterr().out.split())
    assert 0 <= accuracy <= 1
    assert 0 <= success <= 1


def test_its_commands_for_texts_and_sound_work_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"text number {row},{('bad', 'good')[row % 2]}\n" for row in range(40)]
    Path("reviews.csv").write_text("".join(["text,label\n", *rows]))
    draw = torch.Generator().manual_seed(0)
    samples = torch.randint(-99, 99, (40, 8000), generator=draw).to(torch.int16)
    labels, index = torch.arange(40) % 2, torch.arange(40)
    write(Clips(samples, labels, index, ("no", "yes"), 8000), "clips", format="wavfolder")
    _, commands, _ = _blocks((DOCS / "README.md").read_text())
    lines = commands.splitlines()
    assert [line.split()[1] for line in lines] == ["watermark"] * 2
    for line in lines:
        done = run(*line.split()[1:], "--no-perturbation")
        assert done.code == 0, done.err
        assert "1 of 40 rows are marked" in done.out


@pytest.mark.parametrize("method", METHODS)
def test_a_page_names_each_option_and_its_default(method):
    page = _page(method)
    for name, value in METHODS[method].items():
        if name in ("secret", "seed"):
            continue
        assert f"`--{name.replace('_', '-')}`" in page, name
        (line,) = (line for line in page.splitlines() if f"`--{name.replace('_', '-')}`" in line)
        own = method in ("clean-label-audio", "clean-label-text")
        if value is not None and (own or name != "surrogate_epochs"):
            assert str(value).removesuffix(".0") in line, name


def _page(method):
    """A method's page."""
    return (DOCS / f"{method}.md").read_text()


def _blocks(page):
    """The code between fences."""
    return [part.split("\n", 1)[1] for part in page.split("```")[1::2]]
