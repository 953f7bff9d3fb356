"""The real pipelines, tiny, in one repository of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.io import wavfile

from datadeed.datasets.form.dataset import Dataset
from tests.datasets.formats.writers import write
from tests.models.tiny_text import write_encoder

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns("__pycache__", "dvc.lock")


def call(repository: Path, *words: str) -> str:
    """Run a command in the repository with this environment's Python; returns what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        words,
        cwd=repository,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


def stripes(n: int, seed: int) -> Dataset:
    """Four classes of 12x12 grey images: a bright quarter on noise. A tiny network learns them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = rng.integers(40, 90, (n, 12, 12, 1))
    for label in range(4):
        row, column = divmod(label, 2)
        rows = np.flatnonzero(labels == label)
        images[rows, 2 + 4 * row : 6 + 4 * row, 2 + 4 * column : 6 + 4 * column] += 120
    return Dataset(
        torch.from_numpy(images.astype(np.uint8)).permute(0, 3, 1, 2),
        torch.from_numpy(labels),
        torch.arange(n),
        ("a", "b", "c", "d"),
    )


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


def clean(source: Path) -> dict[str, dict[str, object]]:
    """Clean-label watermarks of each modality: the sections that they add to the scale."""
    form = {"source": "folder", "format": "npz", "path": str(source / "stripes.npz")}
    training = {"epochs": 4, "batch_size": 32, "lr": 0.05, "schedule": "one-cycle", "flip": False}
    sound = training | {"epochs": 8, "batch_size": 16, "lr": 0.02}
    adam = training | {"lr": 0.01, "optimiser": "adamw", "bucketed": True}
    encoder = str(write_encoder(source / "encoder"))
    networks = {
        "stripes-c": {"network": "resnet18", "width": 4, "training": training},
        "beeps": {"network": "raw-audio-cnn", "width": 8, "training": sound},
        "reviews": {"network": "bert", "weights": encoder, "max_length": 12, "training": adam},
    }
    marks = {"stripes-c": "patch-20", "beeps": "impulse-20", "reviews": "word-20-plain"}
    victims = {
        f"{dataset}-tiny-{mark}-1": {
            "dataset": dataset,
            "network": "tiny",
            "watermark": mark,
            "seed": 1,
        }
        for dataset, mark in marks.items()
    }
    return {
        "datasets": {
            "stripes-c": form,
            "beeps": {"source": "folder", "path": str(source / "beeps"), "seconds": 0.2},
            "reviews": {"source": "folder", "path": str(source / "reviews")},
        },
        "models": {d: {"surrogate": entry, "tiny": entry} for d, entry in networks.items()},
        "clean": {
            "datasets": list(marks),
            "crafting": {
                "stripes-c": {"epsilon": 16, "step": 4.0, "steps": 2},
                "beeps": {"epsilon": 100, "step": 30, "steps": 2},
                "reviews": {},
            },
            "honest": {f"{d}-tiny-1": {"dataset": d, "network": "tiny", "seed": 1} for d in marks},
            "marked": {
                f"{dataset}-{mark}": {"dataset": dataset, "watermark": mark}
                for dataset, mark in marks.items()
            },
            "victims": victims,
            "hidden": victims,
        },
    }


def scale(source: Path) -> dict[str, object]:
    """A scale whose whole grid takes seconds."""
    training = {"epochs": 3, "batch_size": 32, "lr": 0.1, "schedule": "one-cycle", "flip": False}
    small = {"network": "resnet18", "width": 4, "training": training}
    matching = {"iterations": 2, "retrainings": 1, "shift": 0}
    added = clean(source.parent)
    return {
        "scale": "tiny",
        "results": "results",
        "seed": 5,
        "threads": 1,
        "datasets": {
            "stripes": {"source": "folder", "path": str(source), "format": "npz"},
            **added["datasets"],
        },
        "models": {
            "stripes": {
                "small": small,
                "small-ubw": small,
                "surrogate": small,
                "retraining": {"training": training},
            },
            **added["models"],
        },
        "fetched": ["stripes", *added["datasets"]],
        "clean": added["clean"],
        "grid": {
            "datasets": ["stripes"],
            "networks": ["small"],
            "watermarks": ["badnets-line", "badnets-cross"],
            "seeds": [1],
        },
        "proof": {
            "datasets": ["stripes"],
            "networks": ["small"],
            "watermarks": ["keyed-6-200"],
            "seeds": [1],
        },
        "ubw": {
            "datasets": ["stripes"],
            "networks": ["small-ubw"],
            "watermarks": ["badnets-square", "label-consistent", "ubw-p", "ubw-c"],
            "stamped": ["badnets-square", "ubw-p"],
            "perturbed": ["label-consistent"],
            "matched": ["ubw-c"],
            "seeds": [1],
            "crafting": {
                "stripes": {
                    "label-consistent": {"steps": 2, "step": 4.0},
                    "ubw-c": {"sources": 50, "matching": matching},
                }
            },
            "study": {"base": {}},
        },
    }


@pytest.fixture(scope="package")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh repository in which the flow has reproduced everything once."""
    folder = tmp_path_factory.mktemp("papers")
    source = tmp_path_factory.mktemp("source") / "stripes.npz"
    write(stripes(1200, 1), source, format="npz", split="train")
    write(stripes(600, 2), source, format="npz", split="test")
    (source.parent / "reviews").mkdir()
    for seed, (split, n) in enumerate((("train", 240), ("test", 480))):
        beeps(source.parent / "beeps" / split, n, seed)
        reviews(source.parent / f"reviews/{split}.csv", n, seed)
    for name in ("datadeed", "tasks", "flows", "papers"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock")
        )
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "scales").mkdir()
    (folder / "scales" / "tiny.yaml").write_text(yaml.safe_dump(scale(source)))
    (folder / "params.yaml").symlink_to("scales/tiny.yaml")
    paper = yaml.safe_load((folder / "papers/dvbw/params.yaml").read_text())
    paper["patterns"]["stripes"] = {
        "badnets-line": {"kind": "line", "rows": 2, "value": 255},
        "badnets-cross": {"kind": "cross", "size": 4},
    }
    paper["first_classes"]["stripes"] = 2
    (folder / "papers/dvbw/params.yaml").write_text(yaml.safe_dump(paper))
    proof = yaml.safe_load((folder / "papers/proof/params.yaml").read_text())
    proof["design"] |= {"alpha_key": 0.01, "null_rate": 0.4, "budget": 200}
    proof["watermarks"] = {"keyed-6-200": {"method": "keyed", "parts": 6, "rate": 0.2}}
    (folder / "papers/proof/params.yaml").write_text(yaml.safe_dump(proof))
    ubw = yaml.safe_load((folder / "papers/ubw/params.yaml").read_text())
    ubw["patterns"]["stripes"] = {"kind": "square", "size": 3}
    ubw["watermarks"]["ubw-c"]["size"] = 4
    (folder / "papers/ubw/params.yaml").write_text(yaml.safe_dump(ubw))
    marks = yaml.safe_load((folder / "papers/clean-label/params.yaml").read_text())
    marks["targets"] |= {"stripes-c": 1, "beeps": 1, "reviews": 1}
    marks["patterns"] |= {
        "reviews": {},
        "stripes-c": {"patch": {"kind": "patch", "size": 3, "colour": 255, "place": "top-left"}},
        "beeps": {"impulse": {"kind": "impulse", "start": 0, "length": 16, "amplitude": 9000}},
    }
    (folder / "papers/clean-label/params.yaml").write_text(yaml.safe_dump(marks))
    call(folder, "git", "init", "-q")
    call(folder, "dvc", "init", "-q")
    targets = ["dvc.yaml", "papers/proof/dvc.yaml:train*"]
    call(folder, sys.executable, "-m", "flows.reproduce", "--workers", "2", *targets)
    return folder
