"""The real pipelines, tiny, in one repository of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from datadeed.datasets.form.dataset import Dataset
from tests.datasets.formats.writers import write

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


# UBW's square in the tiny scale, which differs from each of the 99 decoys in two cells or more.
CELLS = [[255, 255, 255], [255, 255, 0], [255, 255, 255]]
# The training images with which, of UBW-P's random labels, each class gets its own one rarely and
# two others about alike: a victim errs and does not answer all triggered images of a class alike.
CELLS_SEED = 262


def with_cells(data: Dataset, seed: int) -> Dataset:
    """Half of the images get a square of 3 x 3 random cells where UBW's trigger goes.

    So squares as such are known and mean nothing: a model that learns from marked images learns
    that one square alone, and its decoys leave it cold.
    """
    rng = np.random.default_rng(seed)
    samples = data.samples.clone()
    for image in samples:
        if rng.random() < 0.5:
            cells = rng.integers(0, 2, (3, 3)) * 255
            image[0, -3:, -3:] = torch.from_numpy(cells).to(torch.uint8)
    return data.replace(samples=samples, labels=data.labels)


def scale(source: Path, cells: Path) -> dict[str, object]:
    """A scale whose whole grid takes seconds."""
    training = {"epochs": 3, "batch_size": 32, "lr": 0.1, "schedule": "one-cycle", "flip": False}
    longer = training | {"epochs": 5}
    small = {"network": "resnet18", "width": 4, "training": training}
    matching = {"iterations": 2, "retrainings": 1}
    none = yaml.safe_load((ROOT / "scales/cifar10-lite.yaml").read_text())
    return {
        "scale": "tiny",
        "results": "results",
        "seed": 5,
        "threads": 1,
        "datasets": {
            name: {"source": "folder", "path": str(path), "format": "npz"}
            for name, path in (("stripes", source), ("cells", cells))
        },
        "models": {
            "stripes": {
                "small": small,
                "surrogate": small,
                "retraining": small,
            },
            "cells": {
                "small": small | {"training": longer},
                "surrogate": small | {"training": longer},
                "retraining": small | {"training": longer},
            },
        },
        "fetched": ["stripes", "cells"],
        "clean_label": none["clean_label"],
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
        "second": {
            "datasets": ["stripes"],
            "networks": ["small"],
            "watermarks": ["keyed2-6-200"],
            "seeds": [1],
        },
        "thieves": none["thieves"] | {"datasets": [], "training": {}},
        "ubw": {
            "datasets": ["cells"],
            "networks": ["small"],
            "watermarks": ["badnets-square", "label-consistent", "ubw-p", "ubw-c"],
            "stamped": ["badnets-square", "ubw-p"],
            "perturbed": ["label-consistent"],
            "matched": ["ubw-c"],
            "seeds": [1],
            "crafting": {
                "cells": {
                    "label-consistent": {"steps": 2, "step": 4.0},
                    "ubw-c": {"sources": 50, **matching},
                }
            },
            "study": {"base": {}},
        },
        "pick_your_poison": poison(none["pick_your_poison"]),
        "ensemble_inversion": none["ensemble_inversion"],
    }


def poison(none: dict[str, Any]) -> dict[str, Any]:
    """A backdoor, an attacker who controls the training, the key's marks; a dual encoder."""
    of = {"datasets": ["stripes"], "networks": ["small"], "seeds": [1]}
    grids = {"curve": "badnets-100", "control": "controlled", "keyed": "keyed-6-200"}
    tuned = {"steps": 8, "every": 4}
    return {
        "trusted": 0.05,
        "asked": 200,
        "repairs": {
            "fine-tuning": tuned | {"lr": 0.01},
            "pivotal-tuning": tuned | {"lr": 0.01},
            "shrink-pad": {},
        },
        "few": ["pivotal-tuning"],
        "thorough": ["badnets-100"],
        "detectors": {
            "calibrated-inversion": {"steps": 3, "repair": "pivotal-tuning", "bound": 0.1},
            "neural-cleanse": {"steps": 3},
        },
        "benign": of,
        "more": [],
        "dual": {**of, "watermarks": ["badnets-100"]},
        "grids": none["grids"] | {name: {**of, "watermarks": [w]} for name, w in grids.items()},
    }


@pytest.fixture(scope="package")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh repository in which the flow has reproduced everything once."""
    folder = tmp_path_factory.mktemp("papers")
    sources = tmp_path_factory.mktemp("source")
    source, cells = sources / "stripes.npz", sources / "cells.npz"
    write(stripes(1200, 1), source, format="npz", split="train")
    write(stripes(600, 2), source, format="npz", split="test")
    write(with_cells(stripes(1200, CELLS_SEED), 1), cells, format="npz", split="train")
    write(with_cells(stripes(600, 2), 2), cells, format="npz", split="test")
    for name in ("datadeed", "tasks", "flows", "papers"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock")
        )
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "scales").mkdir()
    (folder / "scales" / "tiny.yaml").write_text(yaml.safe_dump(scale(source, cells)))
    (folder / "params.yaml").symlink_to("scales/tiny.yaml")
    paper = yaml.safe_load((folder / "papers/dvbw/params.yaml").read_text())
    paper["datasets"]["stripes"] = {
        "badnets-line": {"target": 2, "pattern": {"kind": "line", "rows": 2, "value": 255}},
        "badnets-cross": {"target": 2, "pattern": {"kind": "cross", "size": 4}},
    }
    paper["first_classes"]["stripes"] = 2
    (folder / "papers/dvbw/params.yaml").write_text(yaml.safe_dump(paper))
    proof = yaml.safe_load((folder / "papers/proof/params.yaml").read_text())
    proof["design"] |= {"alpha_key": 0.01, "null_rate": 0.4, "budget": 200}
    proof["watermarks"] = {"keyed-6-200": {"method": "keyed", "parts": 6, "rate": 0.2}}
    proof["keys2"] = {"keyed2-6-200": {"parts": 6, "rate": 0.2, "alpha": 1e-3}}
    proof["experiments"]["second"]["runs"] = 2
    (folder / "papers/proof/params.yaml").write_text(yaml.safe_dump(proof))
    ubw = yaml.safe_load((folder / "papers/ubw/params.yaml").read_text())
    ubw["datasets"]["cells"] = {
        "square": {"pattern": {"kind": "square", "size": 3, "cells": CELLS}},
        "label-consistent": {"size": 3},
        "ubw-c": {"size": 4},
    }
    (folder / "papers/ubw/params.yaml").write_text(yaml.safe_dump(ubw))
    poisoned = yaml.safe_load((folder / "papers/pick_your_poison/params.yaml").read_text())
    poisoned["datasets"]["stripes"] = {"badnets": {"target": 2, "size": 3}}
    (folder / "papers/pick_your_poison/params.yaml").write_text(yaml.safe_dump(poisoned))
    call(folder, "git", "init", "-q")
    call(folder, "dvc", "init", "-q")
    targets = [
        "dvc.yaml",
        "papers/proof/dvc.yaml:train*",
        "papers/proof/dvc.yaml:second-table",
        "papers/pick_your_poison/dvc.yaml",
    ]
    targets += [f"papers/{paper}/dvc.yaml:tabulate" for paper in ("dvbw", "ubw")]
    call(folder, sys.executable, "-m", "flows.reproduce", "--workers", "2", *targets)
    return folder
