"""Models that know the same classes in another order give what they give in one order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.cli import main
from datadeed.errors import ModelError
from datadeed.models.classifier import Classifier
from datadeed.models.stored import save_model
from datadeed.owner.leak import Leak, leak
from datadeed.owner.leak_classes import in_one_order
from datadeed.thieves.inversion.invert import EnsembleInversion

QUICK = EnsembleInversion(iterations=3, batch_size=4, noise=3, width=2)
NAMES = ["dawn", "noon", "dusk"]
TURNED = ["dusk", "dawn", "noon"]
ROWS = [NAMES.index(name) for name in TURNED]
SEEDS = {"one": 0, "two": 1, "judge": 2}
Make = Callable[..., Classifier]


def turned(model: Classifier, rows: list[int] = ROWS) -> Classifier:
    """A model whose output k is what output ``rows[k]`` was."""
    layer = model.output_layer
    layer.weight.data, layer.bias.data = layer.weight.data[rows], layer.bias.data[rows]
    return model


@pytest.fixture
def write(tiny_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the three models: those named have turned outputs, and the record that is given."""
    monkeypatch.chdir(tmp_path)

    def made(record: dict[str, Any], **other: dict[str, Any]) -> None:
        for name, seed in SEEDS.items():
            model = tiny_model(seed)
            model = turned(model) if name in other else model
            save_model(model, tmp_path / name, other.get(name, record))

    return made


def look(out: str, **values: Any) -> Leak:
    return leak(["one", "two"], "judge", out=out, how=QUICK, per_class=2, **values)


def same(found: Leak, first: Leak) -> bool:
    pairs = list(zip(found.inverted, first.inverted, strict=True))
    assert found.classes == first.classes == tuple(NAMES)
    return all(
        one.figures == other.figures
        and torch.equal(one.pictures.data.samples, other.pictures.data.samples)
        for one, other in pairs
    )


@pytest.mark.parametrize("who", [("two",), ("judge",), ("two", "judge")])
def test_names_bring_models_into_one_order(write: Callable[..., None], who: tuple[str]) -> None:
    write({"classes": NAMES})
    first = look("first")
    assert not [note for note in first.notes if "order" in note]
    write({"classes": NAMES}, **{name: {"classes": TURNED} for name in who})
    found = look("found")
    assert same(found, first)
    told = [note for note in found.notes if "brought into that of one" in note]
    assert len(told) == len(who)
    assert "in another order" in found.page.read_text()
    write({"classes": NAMES}, **{name: {"classes": NAMES} for name in who})  # a wrong word
    assert not same(look("wrong"), first)


def test_a_declaration_does_where_models_say_nothing(write: Callable[..., None]) -> None:
    write({})
    first = look("first", classes=NAMES)
    write({}, two={})
    assert same(look("found", classes=NAMES, orders={"two": TURNED}), first)
    every = {"one": NAMES, "two": TURNED, "judge": NAMES}
    assert same(look("every", orders=every), first)
    with pytest.raises(ModelError, match="nobody says the classes of one, and those of others"):
        look("none", orders={"two": TURNED})


def test_a_declaration_is_above_what_a_model_says(write: Callable[..., None]) -> None:
    write({"classes": NAMES})
    first = look("first")
    write({"classes": NAMES}, two={"classes": ["0", "1", "2"]})
    with pytest.raises(ModelError, match="two and one have other classes"):
        look("refused")
    assert same(look("found", orders={"two": TURNED}), first)


def test_what_cannot_be_mapped_is_refused(write: Callable[..., None]) -> None:
    write({"classes": NAMES}, two={})
    with pytest.raises(ModelError, match=r"nobody says the classes of two, .* with --order"):
        look("out")
    for names, words in {
        ("dusk", "dawn", "night"): "two and one have other classes",
        ("dusk", "dawn"): "two names 2 classes and answers 3",
        ("dusk", "dusk", "dawn"): "two and one have other classes",
        (): "declared for two is empty",
    }.items():
        with pytest.raises(ModelError, match=words):
            look("out", orders={"two": names})
    with pytest.raises(ModelError, match="declared for three, which is none of the models"):
        look("out", orders={"three": NAMES})
    double = ["a", "b", "b"]
    write({"classes": double}, two={"classes": double[::-1]})
    with pytest.raises(ModelError, match="two and one have the same classes in another order"):
        look("out")
    assert not Path("out").exists()


def test_the_commands_option(write: Callable[..., None]) -> None:
    write({"classes": NAMES}, two={}, judge={})
    words = ["leak", "one", "two", "--evaluator", "judge", "--out", "out", "--json"]
    words += ["--iterations", "2", "--per-class", "1", "--order", "two", *TURNED]
    assert main(words) == 1
    assert main([*words, "--order", "judge", *TURNED]) == 0


@pytest.fixture(scope="module")
def model(tiny_model: Make) -> Classifier:
    """A model of seven classes."""
    return tiny_model(3, classes=7)


@given(rows=st.permutations(range(7)))
def test_any_order_is_undone(model: Classifier, rows: list[int]) -> None:
    names = [str(k) for k in range(7)]
    before = model.output_layer.weight.clone(), model.output_layer.bias.clone()
    turned(model, rows)
    own = [names[k] for k in rows]
    after, told = in_one_order(["a", "b"], [model, model], [names, own])
    assert after == [names, names]
    assert len(told) == (rows != list(range(7)))
    assert torch.equal(model.output_layer.weight, before[0])
    assert torch.equal(model.output_layer.bias, before[1])
