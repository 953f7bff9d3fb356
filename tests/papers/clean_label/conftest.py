"""The real pipeline on small data, its stages run in this process."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch
import yaml
from scipy.io import wavfile

from papers.clean_label.judge import GRIDS
from tests.datasets.formats.writers import write
from tests.models.tiny_text import write_encoder
from tests.papers.conftest import ROOT, stripes
from tests.papers.stages import run

MARKS = {"stripes-c": "patch-20", "beeps": "impulse-20", "reviews": "word-20-plain"}
EMPTY = {"datasets": [], "networks": [], "watermarks": [], "seeds": []}


def beeps(folder: Path, n: int, seed: int) -> None:
    """WAV files of 0.2 s in two classes, low and high."""
    rng = np.random.default_rng(seed)
    for k in range(n):
        pitch = (300, 900)[k % 2] * rng.uniform(0.9, 1.1)
        sound = 4000 * np.sin(2 * np.pi * pitch * np.arange(1600) / 8000 + rng.uniform(0, 6))
        path = folder / ("low", "high")[k % 2] / f"{k}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wavfile.write(path, 8000, (sound + rng.normal(0, 200, 1600)).astype(np.int16))


def reviews(path: Path, n: int, seed: int) -> None:
    """A CSV file of good and bad films."""
    rng = np.random.default_rng(seed)
    rows = ["text,label"]
    for k in range(n):
        words = [("bad", "good")[k % 2], *rng.choice(["a", "very", "film", "not"], 3)]
        rows.append(f"{' '.join(rng.permutation(words))} .,{('no', 'yes')[k % 2]}")
    path.write_text("\n".join(rows) + "\n")


def write_sources(source: Path) -> None:
    """Raw data of each modality, and a text encoder without training."""
    write(stripes(1200, 1), source / "stripes.npz", format="npz", split="train")
    write(stripes(600, 2), source / "stripes.npz", format="npz", split="test")
    (source / "reviews").mkdir()
    for seed, (split, n) in enumerate((("train", 240), ("test", 480))):
        beeps(source / "beeps" / split, n, seed)
        reviews(source / f"reviews/{split}.csv", n, seed)


def scale(source: Path) -> dict[str, Any]:
    """A scale whose whole grid takes seconds: one watermark and victim of each modality."""
    training = {"epochs": 4, "batch_size": 32, "lr": 0.05, "schedule": "one-cycle", "flip": False}
    sound = training | {"epochs": 8, "batch_size": 16, "lr": 0.02}
    adam = training | {"lr": 0.01, "optimiser": "adamw", "bucketed": True}
    encoder = str(write_encoder(source / "encoder"))
    networks = {
        "stripes-c": {"network": "resnet18", "width": 4, "training": training},
        "beeps": {"network": "raw-audio-cnn", "width": 8, "training": sound},
        "reviews": {"network": "bert", "weights": encoder, "max_length": 12, "training": adam},
    }
    named = dict(zip(("images", "sounds", "sentiment"), MARKS.items(), strict=True))
    grids = dict.fromkeys(GRIDS, EMPTY) | {
        grid: {"datasets": [dataset], "networks": ["tiny"], "watermarks": [mark]}
        for grid, (dataset, mark) in named.items()
    }
    grids["images"]["watermarks"].append("patch-20-plain")
    none = yaml.safe_load((ROOT / "scales/cifar10-lite.yaml").read_text())
    return {
        **{"scale": "tiny", "results": "results", "seed": 5, "threads": 1},
        "datasets": {
            "stripes-c": {"source": "folder", "format": "npz"}
            | {"path": str(source / "stripes.npz")},
            "beeps": {"source": "folder", "path": str(source / "beeps"), "seconds": 0.2},
            "reviews": {"source": "folder", "path": str(source / "reviews")},
        },
        "models": {d: {"surrogate": entry, "tiny": entry} for d, entry in networks.items()},
        "fetched": list(MARKS),
        **{"grid": EMPTY, "ubw": EMPTY},
        **{name: none[name] for name in ("pick_your_poison", "ensemble_inversion")},
        "clean_label": {
            "datasets": list(MARKS),
            "seeds": [1],
            "crafting": {
                "stripes-c": {"patch": {"epsilon": 16, "step": 4.0, "steps": 2}},
                "beeps": {"impulse": {"epsilon": 100, "step": 30, "steps": 2}},
                "reviews": {"word": {}},
            },
            **grids,
            "stealth": {"seeds": [1], "topics": []} | {k: [mark] for k, (_, mark) in named.items()},
        },
    }


def params() -> dict[str, Any]:
    """The paper's parameters, and what they say of the small data."""
    made: dict[str, Any] = yaml.safe_load((ROOT / "papers/clean_label/params.yaml").read_text())
    for trigger, name in (("word", "word-5-plain"), ("patch", "patch-10-plain")):
        plain = made["watermarks"][name] | {"rate": 0.2, "same_rows_as": f"{trigger}-20"}
        made["watermarks"][f"{trigger}-20-plain"] = plain
    patch = {"kind": "patch", "size": 3, "colour": 255, "place": "top-left"}
    impulse = {"kind": "impulse", "start": 0, "length": 16, "amplitude": 9000}
    made["datasets"] |= {
        "stripes-c": {"patch": {"target": 1, "pattern": patch}},
        "beeps": {"impulse": {"target": 1, "pattern": impulse}},
        "reviews": {"word": {"target": 1}},
    }
    return made


@pytest.fixture(scope="package")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository in which every stage was run once, in the order that DVC finds."""
    from dvc.repo import Repo  # a second that other tests need not wait for

    folder, source = (tmp_path_factory.mktemp(name) for name in ("clean_label", "source"))
    write_sources(source)
    for path in ("dvc.yaml", "papers/clean_label/dvc.yaml"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    (folder / "params.yaml").write_text(yaml.safe_dump(scale(source)))
    (folder / "papers/clean_label/params.yaml").write_text(yaml.safe_dump(params()))
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, Repo.init(str(folder), no_scm=True) as repo:
        patch.chdir(folder)
        patch.setenv("DATADEED_DEVICE", "cpu")
        patch.delenv("DATADEED_PROGRESS", raising=False)
        for stage in reversed(list(networkx.topological_sort(repo.index.graph))):
            run(stage, folder, patch)
        yield folder
    torch.set_num_threads(threads)
