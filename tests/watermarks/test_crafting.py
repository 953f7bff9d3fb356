"""One crafting path: what names a crafting, and which state is gone on with."""

import pytest
import torch

from datadeed.errors import CheckpointError
from datadeed.models.training.config import TrainingConfig
from datadeed.watermarks import crafting, label_consistent
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.label_consistent import LabelConsistent
from tests.conftest import toy

DATA = toy(24)


@pytest.fixture
def surrogate(tiny_model):
    return Surrogate(tiny_model(), TrainingConfig(epochs=1, lr=0.1))


def make(**own):
    own = {"rate": 0.25, "steps": 2, "size": 3, **own}
    return LabelConsistent.for_data(DATA.form, DATA.classes, 0, **own)


def craft(surrogate, folder, method=None, seed=1, **values):
    method = method or make()
    crafting.craft(method, DATA, surrogate, (seed, "craft"), folder, **values)
    return method


def test_facts_say_what_became_of_the_marks(surrogate, tmp_path):
    facts = craft(surrogate, tmp_path).facts()
    assert facts == {"epsilon": 8, "largest_change": 3, "classes": [0, 6, 0], "losses": []}


def test_a_killed_crafting_goes_on(surrogate, tmp_path, monkeypatch):
    monkeypatch.setattr(label_consistent, "PART", 2)
    calls, real = [], label_consistent.pgd

    def killed(*arguments, **values):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **values)

    monkeypatch.setattr(label_consistent, "pgd", killed)
    with pytest.raises(KeyboardInterrupt):
        craft(surrogate, tmp_path)
    done = craft(surrogate, tmp_path)
    assert len(calls) == 4  # 3 parts, one of them begun twice
    whole = craft(surrogate, tmp_path / "other")
    assert torch.equal(done._released, whole._released)


@pytest.mark.parametrize("change", ["seed", "watermark", "surrogate", "code", "threads"])
def test_another_crafting_is_refused_or_has_a_folder_of_its_own(
    surrogate, tmp_path, tiny_model, monkeypatch, change
):
    craft(surrogate, tmp_path / "one")
    craft(surrogate, tmp_path / "several", several=True)
    values = {}
    if change == "seed":
        values["seed"] = 2
    elif change == "watermark":
        values["method"] = make(epsilon=7)
    elif change == "surrogate":
        surrogate = Surrogate(tiny_model(1), surrogate.training)
    elif change == "code":
        monkeypatch.setattr(crafting, "code_digest", lambda: "another version")
    else:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 9)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        craft(surrogate, tmp_path / "one", **values)
    if "method" in values:
        values["method"] = make(epsilon=7)
    craft(surrogate, tmp_path / "several", several=True, **values)
    assert len(list((tmp_path / "several").iterdir())) == 2


def test_the_code_is_all_that_lies_in_its_rooms(tmp_path, monkeypatch):
    here = crafting.code_digest()
    assert crafting.code_digest() == here
    monkeypatch.setattr(crafting, "PACKAGE", tmp_path)
    seen = {here}
    for path, text in (
        ("perturbations/pgd.py", "step = 1\n"),
        ("perturbations/pgd.py", "step = 2\n"),
        ("models/training/loop.py", "step = 2\n"),
        ("reports/page.py", "step = 2\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        seen.add(crafting.code_digest())
    assert len(seen) == 4
