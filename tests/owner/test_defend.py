"""Checking and repairing a model, as a notebook does it."""

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torchvision

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatadeedError, DatasetError, ModelError, ParameterError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.models.stored import load_model, save_model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.owner.defend import METHODS, defend
from datadeed.owner.defend_files import Network
from datadeed.thieves.repair.base import OnStep, Repair
from datadeed.thieves.repair.fine_tuning import FineTuning
from datadeed.thieves.repair.inputs import ShrinkPad

TUNED = FineTuning(steps=4, lr=0.001, every=2)


@pytest.fixture(scope="module")
def trained(
    tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> Classifier:
    """A toy that gets everything right."""
    model = tiny_model(width=4)
    config = TrainingConfig(epochs=8, lr=0.1, batch_size=32, schedule="one-cycle", flip=False)
    train(model, toy_dataset(180), config, generator=torch.Generator().manual_seed(0))
    return model.eval()


@pytest.fixture
def folder(trained: Classifier, tmp_path: Path) -> Path:
    """The model's folder."""
    save_model(trained, tmp_path / "model", {"classes": ["class 0", "class 1", "class 2"]})
    return tmp_path / "model"


class Ruin(Repair):
    """Loses everything."""

    name = "ruin"

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        with torch.no_grad():
            model.output_layer.weight.zero_()
        on_step(1, model)
        return model


def test_a_folder_in_a_folder_out(
    folder: Path, toy_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    done = defend(folder, toy_dataset(60, seed=5), out=tmp_path / "out", method=TUNED)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert done.out == tmp_path / "out"
    assert list(done.detections) == ["calibrated-inversion", "neural-cleanse"]
    assert done.repaired.held_out == 15
    assert done.notes == ()
    written = load_model(tmp_path / "out")
    state = written.state_dict()
    assert all(torch.equal(state[k], v) for k, v in done.repaired.model.state_dict().items())
    record = json.loads((tmp_path / "out/model.json").read_text())
    assert record["classes"] == ["class 0", "class 1", "class 2"]
    assert record["repaired"]["steps"] == done.repaired.step == 4
    json.dumps(done.record(), allow_nan=False)


def test_nothing_is_written_where_the_budget_is_overrun(
    folder: Path, toy_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    done = defend(folder, toy_dataset(60), out=tmp_path / "out", method=Ruin(), detect=False)
    assert done.repaired.step is None
    assert done.out is None
    assert not (tmp_path / "out").exists()
    assert done.detections == {}


def test_labels_follow_the_models_own_class_names(
    folder: Path, toy_dataset: Callable[..., Dataset]
) -> None:
    data = toy_dataset(60)
    turned = dataclasses.replace(data, labels=2 - data.labels, classes=data.classes[::-1])
    done = defend(folder, turned, method=TUNED, detect=False)
    assert done.classes == data.classes
    assert done.repaired.before == 1
    for classes in (("Class/2", "CLASS_1", "class-0"), ("class 2", "class 1", "class 0")):
        named = dataclasses.replace(turned, classes=classes)
        assert defend(folder, named, method=TUNED, detect=False).repaired.before == 1
    numbered = dataclasses.replace(data, classes=("0", "1", "2"))
    assert defend(folder, numbered, method=TUNED, detect=False).repaired.before == 1
    for classes in (("a", "b", "c"), ("class 0", "class-0", "class 1")):
        with pytest.raises(DatasetError, match="other names"):
            defend(folder, dataclasses.replace(data, classes=classes), method=TUNED)


def test_wrong_labels_are_pointed_at(folder: Path, toy_dataset: Callable[..., Dataset]) -> None:
    data = toy_dataset(60)
    labels = data.labels.clone()
    labels[:3] = (labels[:3] + 1) % 3
    wrong = data.replace(samples=data.samples, labels=labels)
    done = defend(folder, wrong, method=TUNED, detect=False)
    assert "3 of 60 trusted samples" in done.notes[0]


def test_a_torchvision_network_keeps_its_own_names(
    toy_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    made = torchvision.models.resnet18(num_classes=3)
    path, out = tmp_path / "model.safetensors", tmp_path / "out.safetensors"
    path.write_bytes(safetensors.torch.save(made.state_dict()))
    data = toy_dataset(12, shape=(3, 32, 32))
    network = Network("torchvision-resnet18", mean=[0.5] * 3, std=[0.2] * 3)
    steps = FineTuning(steps=1, lr=1e-6)
    done = defend(path, data, network=network, out=out, method=steps, detect=False, budget=1)
    assert done.out == out
    found = safetensors.torch.load_file(out)
    assert set(found) == set(made.state_dict())
    assert torch.allclose(found["fc.weight"], made.fc.weight, atol=1e-4)
    assert not torch.equal(found["bn1.running_mean"], made.bn1.running_mean)


def test_models_that_cannot_be_read(
    folder: Path, toy_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    data, bare = toy_dataset(60), folder / "model.safetensors"
    (tmp_path / "pickle.pt").write_bytes(b"\x80\x02.")
    cases = [
        (tmp_path / "nothing", None, "is not a file"),
        (bare, None, "--network"),
        (bare, Network("nothing"), "unknown network"),
        (bare, Network("resnet18", 4), "does not hold"),  # ours: named network.0 and so on
        (tmp_path / "pickle.pt", Network("resnet18"), "does not hold"),
    ]
    for path, network, words in cases:
        with pytest.raises(DatadeedError, match=words) as caught:
            defend(path, data, network=network, method=TUNED)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["config"].update(width=10**9),
        lambda record: record["config"].update(width=None),
        lambda record: record["config"].update(classes=10**9),
        lambda record: record["config"].update(shape=[10**9, 8, 8]),
        lambda record: record["config"].update(shape=[3]),
        lambda record: record.update(classes=[["a"], ["b"], ["c"]]),
        lambda record: record.update(classes=7),
        lambda record: record.update(note=float("nan")),
        lambda record: record.pop("config"),
    ],
)
def test_records_that_ask_for_too_much(
    folder: Path, toy_dataset: Callable[..., Dataset], change: Callable[[dict[str, Any]], None]
) -> None:
    record = json.loads((folder / "model.json").read_text())
    change(record)
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="does not describe a model") as caught:
        defend(folder, toy_dataset(60), method=TUNED)
    assert "\n" not in str(caught.value)


def test_records_that_no_reader_takes(folder: Path, toy_dataset: Callable[..., Dataset]) -> None:
    for text in ("[" * 100_000, '{"config": ' + "9" * 5000 + "}", " " * 2**21, "\xff"):
        (folder / "model.json").write_text(text, encoding="latin-1")
        with pytest.raises(DatadeedError) as caught:
            defend(folder, toy_dataset(60), method=TUNED)
        assert "\n" not in str(caught.value)


def test_nothing_that_exists_is_written_over(
    folder: Path, toy_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for out in (folder, folder / "model.safetensors", tmp_path / "file"):
        with pytest.raises(DatasetError, match="exists"):
            defend(folder, toy_dataset(60), out=out, method=TUNED)
    with pytest.raises(ParameterError, match="changes inputs"):
        defend(folder, toy_dataset(60), out=tmp_path / "out", method=ShrinkPad())


def test_a_model_that_answers_nan_is_refused(
    trained: Classifier, toy_dataset: Callable[..., Dataset]
) -> None:
    """All its weights are finite."""
    broken = copy.deepcopy(trained)
    norm = next(m for m in broken.modules() if isinstance(m, torch.nn.BatchNorm2d))
    norm.running_var.fill_(-1.0)
    with pytest.raises(ModelError, match="answers with NaN"):
        defend(broken, toy_dataset(60), method=TUNED)


def test_a_model_in_memory_stays_as_it_is(
    trained: Classifier, toy_dataset: Callable[..., Dataset]
) -> None:
    model = copy.deepcopy(trained).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    done = defend(model, toy_dataset(60), method=TUNED, detect=False)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert done.repaired.model is not model


def test_wrong_labels_of_two_classes_are_pointed_at(
    tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> None:
    model, data = tiny_model(width=4, classes=2), toy_dataset(100, classes=2)
    config = TrainingConfig(epochs=8, lr=0.1, batch_size=32, schedule="one-cycle", flip=False)
    train(model, toy_dataset(180, classes=2), config, generator=torch.Generator().manual_seed(0))
    labels = data.labels.clone()
    labels[:5] = 1 - labels[:5]
    wrong = data.replace(samples=data.samples, labels=labels)
    done = defend(model, wrong, method=TUNED, detect=False)
    assert "5 of 100 trusted samples" in done.notes[0]


@pytest.mark.parametrize("budget", [-0.1, 2.0, float("nan")])
def test_a_budget_is_a_share(
    budget: float, trained: Classifier, toy_dataset: Callable[..., Dataset]
) -> None:
    with pytest.raises(ParameterError, match="budget"):
        defend(trained, toy_dataset(60), method=TUNED, detect=False, budget=budget)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_values_that_work(
    name: str, trained: Classifier, toy_dataset: Callable[..., Dataset]
) -> None:
    done = defend(trained, toy_dataset(60), method=name, detect=False, budget=1)
    assert done.repaired.step == METHODS[name]["steps"]


def test_samples_that_do_not_fit(folder: Path, toy_dataset: Callable[..., Dataset]) -> None:
    data = toy_dataset(60)
    cases = [
        (data.take(data.labels != 1), "class 1"),
        (toy_dataset(60, shape=(3, 16, 16)), "16, 16"),
        (toy_dataset(60, classes=4), r"other names \(class-3\)"),
        (data.slice(0, 6), "too few"),
    ]
    for samples, words in cases:
        with pytest.raises(DatasetError, match=words):
            defend(folder, samples, method=TUNED)
