"""What several rooms' tests share: toy data, a tiny network, answers made by hand, a project."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import write_dataset
from datadeed.keys import key
from datadeed.models.classifier import Classifier, build
from datadeed.verification.answers import Answers

settings.register_profile("datadeed", deadline=None)  # timings are for benchmarks/
settings.load_profile("datadeed")


def toy(
    n: int = 60, *, classes: int = 3, shape: tuple[int, int, int] = (3, 8, 8), seed: int = 0
) -> Dataset:
    """Noise below 60 plus a bright band of rows at the class's own height: separable at sight."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    pixels = torch.randint(0, 60, (n, shape[1], shape[2], shape[0]), generator=draw)
    for row in range(n):
        top = 1 + int(labels[row]) * (shape[1] - 1) // classes
        pixels[row, top : top + 2] += 150
    samples = pixels.to(torch.uint8).permute(0, 3, 1, 2)
    names = tuple(f"class {k}" for k in range(classes))
    return Dataset(samples, labels, torch.arange(n) * 7 + 3, names)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads only wait for each other on toys, more so beside other work."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has keys of its own, and the same ones each time: what fails, fails again."""
    draw = random.Random(request.node.nodeid)
    monkeypatch.setattr(key, "secrets", SimpleNamespace(token_bytes=draw.randbytes))


@pytest.fixture(scope="session")
def toy_dataset() -> Callable[..., Dataset]:
    """Makes separable toy images."""
    return toy


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., Classifier]:
    """Makes a network of width 2 for the toy images."""

    def make(seed: int = 0, network: str = "resnet18", **values: object) -> Classifier:
        chosen = {"shape": (3, 8, 8), "classes": 3, "width": 2, **values}
        return build(network, generator=torch.Generator().manual_seed(seed), **chosen)

    return make


@pytest.fixture(scope="session")
def make_answers() -> Callable[..., Answers]:
    """Makes answers from predictions; probabilities are 0 or 1 unless given."""

    def make(
        triggered: object,
        *,
        clean: object = None,
        label: object = None,
        target: int = 0,
        before: object = None,
        after: object = None,
    ) -> Answers:
        hit = np.asarray(triggered, dtype=np.int64)
        other = 1 if target == 0 else 0
        true = np.full(len(hit), other) if label is None else np.asarray(label, dtype=np.int64)
        plain = true if clean is None else np.asarray(clean, dtype=np.int64)
        return Answers(
            target=target,
            index=np.arange(len(hit)),
            label=true,
            clean_prediction=plain,
            triggered_prediction=hit,
            clean_probability=(plain == target) * 1.0 if before is None else np.asarray(before),
            triggered_probability=(hit == target) * 1.0 if after is None else np.asarray(after),
        )

    return make


PARAMETERS = {
    "scale": "toy",
    "results": "results",
    "seed": 5,
    "threads": 1,
    "models": {
        "toy": {
            "resnet18": {
                "network": "resnet18",
                "width": 2,
                "training": {"epochs": 1, "batch_size": 16, "lr": 0.05, "schedule": "one-cycle"},
            }
        }
    },
    "grid": {
        "datasets": ["toy"],
        "networks": ["resnet18"],
        "watermarks": ["badnets-line", "blended-line"],
        "seeds": [1],
    },
}
PAPER = {
    "verification": {"m": 10, "tau": 0.2, "alpha": 0.01, "renumberings": 20},
    "first_classes": {"toy": 1},
    "watermarks": {
        "badnets-line": {"method": "badnets", "rate": 0.25},
        "badnets-cross": {"method": "badnets", "rate": 0.25},
        "blended-line": {"method": "blended", "rate": 0.25},
    },
    "independent_triggers": {
        "badnets-line": "badnets-cross",
        "badnets-cross": "badnets-line",
        "blended-line": "badnets-cross",
    },
    "datasets": {
        "toy": {
            "badnets-line": {"target": 1, "pattern": {"kind": "line", "rows": 1, "value": 255}},
            "badnets-cross": {"target": 1, "pattern": {"kind": "cross", "size": 3}},
            "blended-line": {"target": 1, "pattern": {"kind": "line", "rows": 2, "value": 255}},
        }
    },
}


class Project:
    """A folder that holds all a stage reads: parameters and a toy dataset."""

    def __init__(self, root: Path):
        self.root = root
        self.parameters = yaml.safe_load(yaml.safe_dump(PARAMETERS))
        self.paper = yaml.safe_load(yaml.safe_dump(PAPER))
        self.write()
        write_dataset(toy(60), root / "data/datasets/toy/train.parquet")
        write_dataset(toy(45, seed=1), root / "data/datasets/toy/test.parquet")

    def write(self) -> None:
        """Write both parameter files anew."""
        (self.root / "papers/dvbw").mkdir(parents=True, exist_ok=True)
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.parameters))
        (self.root / "papers/dvbw/params.yaml").write_text(yaml.safe_dump(self.paper))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The working folder of a stage; PyTorch's thread count comes back afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATADEED_DEVICE", "cpu")
    monkeypatch.delenv("DATADEED_PROGRESS", raising=False)
    threads = torch.get_num_threads()
    yield Project(tmp_path)
    torch.set_num_threads(threads)


@pytest.fixture
def judged(workspace: Project) -> Project:
    """A project with the cells of two watermarks, made by the stages themselves."""
    from papers.base import Case
    from tasks import ask, judge, mark, train

    train.run("toy", "resnet18", "none", 1)
    for name in ("badnets-line", "blended-line"):
        mark.mark("dvbw", "toy", name)
        train.run("toy", "resnet18", name, 1)
        case = Case("toy", "resnet18", name, 1)
        ask.run("dvbw", case)
        judge.run("dvbw", case)
    return workspace
