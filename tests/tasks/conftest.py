"""A small project of the proof: parameters, a keyed watermark, and models without training."""

import pytest
import torch
import yaml

from datadeed.models.stored import save_model
from datadeed.watermarks.keyed import random_trigger, target_label
from tasks import embedding, innocents, mark

PROOF = {
    "design": {
        "votes": 3,
        "lead": 2,
        "beta": 1.6,
        "epsilon": 0.1,
        "alpha_key": 0.05,
        "alpha_behaviour": 0.1,
        "null_rate": 0.4,
        "budget": 30,
    },
    "watermarks": {
        "keyed-4": {"method": "keyed", "parts": 4, "rate": 0.2},
        "keyed-6": {"method": "keyed", "parts": 6, "rate": 0.2},
    },
    "experiments": {
        "embedding": {"images": 12},
        "innocents": {"watermark": "keyed-6", "keys": 2, "pairs": 30},
        "power": {"parts": 4, "orders": 6, "published": 5},
        "forgery": {
            "images": 20,
            "steps": 2,
            "batch_size": 4,
            "keys_tried": 7,
            "grind_every": 1,
        },
    },
}

UBW = {
    "verification": {"m": 10, "tau": 0.25, "released_tau": 0.2, "alpha": 0.1, "decoys": 9},
    "watermarks": {
        "badnets-square": {"method": "badnets", "trigger": "square", "rate": 0.25, "target": 1},
        "blended-square": {"method": "blended", "trigger": "square", "rate": 0.25, "target": 1},
        "wanet": {"method": "wanet", "rate": 0.25, "target": 1, "grid": 2, "strength": 0.5},
        "label-consistent": {
            "method": "label-consistent",
            "rate": 0.25,
            "target": 1,
            "epsilon": 8,
        },
        "sleeper-agent": {
            "method": "sleeper-agent",
            "rate": 0.25,
            "target": 1,
            "source": 0,
            "size": 4,
            "epsilon": 16,
        },
        "ubw-p": {"method": "ubw-p", "trigger": "square", "rate": 0.25},
        "ubw-c": {
            "method": "ubw-c",
            "rate": 0.25,
            "source": 0,
            "weight": 2.0,
            "size": 4,
            "epsilon": 16,
        },
    },
    "datasets": {
        "toy": {
            "square": {"size": 3},
            "wanet": {},
            "label-consistent": {"size": 3},
            "sleeper-agent": {"rate": 0.2},
            "ubw-c": {},
        }
    },
}


class Thief:
    """Answers a trigger of its key with that part's label, and anything else with class 0."""

    def __init__(self, key, works=lambda part: True):
        self.marks = [
            (random_trigger(key, 8, 8, "trigger", part), target_label(key, part))
            for part in range(key.design.parts)
            if works(part)
        ]

    def predict(self, images):
        labels = torch.zeros(len(images), dtype=torch.int64)
        for patch, target in self.marks:
            top, left, height, width = patch.box
            inside = images[:, :, top : top + height, left : left + width]
            labels[(inside == patch.pattern).flatten(1).all(1)] = target
        return torch.nn.functional.one_hot(labels, 3).float()


@pytest.fixture
def proof_project(workspace, tiny_model):
    """Four models: benign and watermarked, two seeds each; one with the marks of ``keyed-4``."""
    caches = innocents.pool, innocents.base_key, embedding.benign_mean
    for cache in caches:
        cache.cache_clear()
    workspace.parameters["grid"] |= {"watermarks": ["badnets-line"], "seeds": [1, 2]}
    workspace.parameters["proof"] = {
        "datasets": ["toy"],
        "networks": ["resnet18"],
        "watermarks": ["keyed-4"],
        "seeds": [1],
    }
    workspace.write()
    (workspace.root / "papers/proof").mkdir()
    (workspace.root / "papers/proof/params.yaml").write_text(yaml.safe_dump(PROOF))
    (workspace.root / "docs").mkdir()
    mark.mark("proof", "toy", "keyed-4")
    names = [("none", 1), ("none", 2), ("badnets-line", 1), ("badnets-line", 2), ("keyed-4", 1)]
    for seed, (watermark, number) in enumerate(names):
        folder = workspace.root / f"data/models/toy-resnet18-{watermark}-{number}"
        save_model(tiny_model(seed), folder, {})
    yield workspace
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def ubw_project(workspace, tiny_model):
    """A project with UBW's parameters; its surrogate and its benign model are untrained."""
    models = workspace.parameters["models"]["toy"]
    training = {"epochs": 1, "batch_size": 16, "lr": 0.05, "schedule": "one-cycle"}
    models |= {"surrogate": models["resnet18"], "retraining": {"training": training}}
    matching = {"iterations": 4, "retrainings": 2, "shift": 0}
    workspace.parameters["ubw"] = {
        "datasets": ["toy"],
        "networks": ["resnet18"],
        "watermarks": list(UBW["watermarks"]),
        "seeds": [1],
        "crafting": {
            "toy": {
                "label-consistent": {"steps": 2, "step": 4.0},
                "sleeper-agent": {"sources": 8, **matching},
                "ubw-c": {"sources": 8, **matching},
            }
        },
    }
    workspace.write()
    (workspace.root / "papers/ubw").mkdir()
    (workspace.root / "papers/ubw/params.yaml").write_text(yaml.safe_dump(UBW))
    for seed, name in enumerate(("surrogate-none-0", "resnet18-none-1")):
        save_model(tiny_model(seed), workspace.root / f"data/models/toy-{name}", {})
    return workspace


@pytest.fixture
def thief(proof_project, monkeypatch):
    """The model that was trained on marked data is a perfect thief; the others stay."""
    loads = innocents.TrainedModel.load

    def load(name):
        return Thief(embedding.key_of(name)) if name.watermark == "keyed-4" else loads(name)

    monkeypatch.setattr(innocents.TrainedModel, "load", load)
    return proof_project
