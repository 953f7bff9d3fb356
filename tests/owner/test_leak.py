"""Inverting an owner's models: what is found, kept and refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ModelError, ParameterError
from datadeed.models.classifier import Classifier
from datadeed.models.stored import save_model
from datadeed.owner.defend_files import Network
from datadeed.owner.leak import ALL, Leak, leak
from datadeed.owner.leak_files import Bare
from datadeed.thieves.inversion.invert import EnsembleInversion

QUICK = EnsembleInversion(iterations=3, batch_size=4, noise=3, width=2)
NAMES = ["dawn", "noon", "<b>dusk</b>"]


@pytest.fixture
def folders(
    tiny_model: Callable[..., Classifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Three models, untrained: "one", "two" and "judge"."""
    for seed, name in enumerate(("one", "two", "judge")):
        save_model(tiny_model(seed), tmp_path / name, {"classes": NAMES})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(**values: object) -> Leak:
    given = {"out": "out", "how": QUICK, "per_class": 2, **values}
    return leak(["one", "two"], "judge", **given)  # type: ignore[arg-type]


def test_each_model_alone_and_all_together(folders: Path) -> None:
    steps: list[int] = []
    found = look(progress=_told(steps))
    assert [one.name for one in found.inverted] == ["one", "two", ALL]
    assert found.classes == tuple(NAMES)
    for one in found.inverted:
        assert set(one.figures) == {"accuracy", "filtered", "agreement", "spread"}
        assert len(one.pictures.data) == 6
    assert steps == sorted(steps)
    assert steps[-1] == 3 + 3 + 2 * 3
    text = found.page.read_text()
    assert "&lt;b&gt;dusk" in text
    assert "<b>" not in text
    assert text.count("data:image/png") == 1
    assert found.record()["models"]["one"] == found.inverted[0].figures


def test_a_second_run_repeats_no_inversion(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = look()
    assert len(list((folders / "out/inversions").glob("*.parquet"))) == 3
    before = first.page.read_text()
    for file in list((folders / "out/inversions").glob("*.json"))[:1]:
        file.write_text("{}")  # a damaged one is made again, and comes out the same
    assert look().page.read_text() == before
    monkeypatch.setattr(EnsembleInversion, "__call__", None)
    assert look().page.read_text() == before
    with pytest.raises(TypeError):
        look(seed=1)


def test_training_images_are_compared(folders: Path, toy_dataset: Callable[..., Dataset]) -> None:
    data = toy_dataset(20)
    found = look(training=data)
    assert found.usual is not None
    assert all(one.figures["nearest"] > 0 for one in found.inverted)
    assert "from the nearest of the others" in found.page.read_text()
    aided = look(training=data, auxiliary=data, how=None, out="aided", per_class=1)
    assert len(aided.inverted) == 3


def test_bare_weights_need_words(folders: Path, tiny_model: Callable[..., Classifier]) -> None:
    state = {k: v.contiguous() for k, v in tiny_model(3).network.state_dict().items()}
    safetensors.torch.save_file(state, folders / "bare.safetensors")
    given = {"out": "out", "how": QUICK, "per_class": 1}
    with pytest.raises(ModelError, match="say whose they are, with --network"):
        leak(["bare.safetensors"], "judge", **given)  # type: ignore[arg-type]
    bare = Bare(Network("resnet18", width=2), (3, 8, 8))
    with pytest.raises(ModelError, match="name its classes with --classes"):
        leak(["bare.safetensors"], "judge", bare=bare, **given)  # type: ignore[arg-type]
    found = leak(["bare.safetensors"], "judge", bare=bare, classes=NAMES, **given)  # type: ignore[arg-type]
    assert [one.name for one in found.inverted] == ["bare.safetensors"]


@pytest.mark.parametrize("name", ["m.onnx", "suspect.yaml", "https://example.org/v1/models/m"])
def test_models_without_gradients_are_refused(folders: Path, name: str) -> None:
    with pytest.raises(ModelError, match="inversion needs gradients"):
        leak([name], "judge", out="out")


def test_refused(
    folders: Path, tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> None:
    with pytest.raises(ModelError, match="named twice"):
        leak(["one", "one"], "judge", out="out")
    with pytest.raises(ParameterError, match="0 pictures a class"):
        look(per_class=0)
    with pytest.raises(DatasetError, match=r"take images of \(3, 8, 8\), but those given are"):
        look(training=toy_dataset(8, shape=(3, 6, 8)))
    with pytest.raises(DatasetError, match="no other beside it"):
        look(training=toy_dataset(1))
    save_model(tiny_model(1), folders / "two", {"classes": [*NAMES[:2], "night"]})
    with pytest.raises(ModelError, match="two and one have other classes"):
        look()
    silent = tiny_model(1)
    for parameter in silent.parameters():
        nn.init.zeros_(parameter)
    save_model(silent, folders / "two", {"classes": NAMES})
    with pytest.raises(ModelError, match="two answers every picture with the same"):
        look()
    save_model(tiny_model(1, shape=(3, 9, 9)), folders / "two", {"classes": NAMES})
    with pytest.raises(ModelError, match=r"two takes images of \(3, 9, 9\)"):
        look()
    assert not (folders / "out").exists()


def test_doubts_are_told(folders: Path) -> None:
    found = leak(["one"], "one", out="out", how=QUICK, per_class=1)
    assert "the evaluator is one of the models" in found.notes[0]
    assert torch.isfinite(torch.tensor(list(found.inverted[0].figures.values()))).all()


def _told(steps: list[int]) -> Callable[..., object]:
    import contextlib

    @contextlib.contextmanager
    def progress(text: str, total: int):  # type: ignore[no-untyped-def]
        assert total == 12
        yield steps.append

    return progress
