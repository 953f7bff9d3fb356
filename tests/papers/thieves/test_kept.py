"""What is found again after a kill, and what makes it stale."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from papers.thieves import kept


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)


def test_a_model_is_made_once(tmp_path: Path) -> None:
    made = []

    def make(model: Any) -> None:
        made.append(model)
        nn.init.constant_(model.layer.weight, len(made))

    new: Any = Net
    models = [kept.weights(tmp_path, {"a": a}, new, make) for a in (1, 1, 2)]
    assert [model.layer.weight[0, 0].item() for model in models] == [1, 1, 2]  # type: ignore
    assert len(made) == 2
    assert torch.equal(models[0].layer.bias, models[1].layer.bias)  # type: ignore[attr-defined]


def test_a_training_that_was_killed_leaves_nothing(tmp_path: Path) -> None:
    def killed(model: Any) -> None:
        raise KeyboardInterrupt

    new: Any = Net
    with pytest.raises(KeyboardInterrupt):
        kept.weights(tmp_path, {}, new, killed)
    assert not list(tmp_path.iterdir())


def test_comments_and_docstrings_are_no_code(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    texts = [
        '"""A."""\ndef f(x):\n    """B."""\n    return x + 1\n',
        '"""C."""\n\n\ndef f(x):  # D\n    """E."""\n    return x + 1\n',
        '"""A."""\ndef f(x):\n    """B."""\n    return x + 2\n',
    ]
    found = []
    for text in texts:
        (tmp_path / "f.py").write_text(text)
        found.append(kept.code(["f.py"]))
    assert found[0] == found[1] != found[2]


def test_numbers_of_a_module_are_code_of_what_uses_them(monkeypatch: Any) -> None:
    from datadeed.thieves.practice import augmentations

    before = [kept.code([], [f]) for f in (augmentations.crop, augmentations.cutout)]
    monkeypatch.setattr(augmentations, "CROP", 5)
    after = [kept.code([], [f]) for f in (augmentations.crop, augmentations.cutout)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_kind_depends_on_what_it_imports_alone() -> None:
    found = kept.closure("papers.thieves.kinds.practice")
    assert {"papers/thieves/setting.py", "datadeed/thieves/practice/thieves.py"} <= found
    assert "papers/thieves/kinds/repair.py" not in found
    assert all((kept.ROOT / path).is_file() for path in found)
