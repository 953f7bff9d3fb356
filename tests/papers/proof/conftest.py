"""A small project of the proof: parameters, a keyed watermark, and models without training."""

import pytest
import torch
import yaml

from datadeed.files import write_json
from datadeed.models.stored import save_model
from datadeed.watermarks.keyed import Keyed, random_trigger, target_label
from papers.base import Case
from papers.proof.keys import key_of, public_test_key
from tasks.lab import Lab

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
    "published": {"m": 10, "tau": 0.2, "alpha": 0.01},
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

THIEF = Case("toy", "resnet18", "keyed-4", 1)


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
        for mark, target in self.marks:
            top, left, height, width = mark.box
            inside = images[:, :, top : top + height, left : left + width]
            labels[(inside == mark.pattern).flatten(1).all(1)] = target
        return torch.nn.functional.one_hot(labels, 3).float()


@pytest.fixture
def proof_project(workspace, tiny_model):
    """Four models: benign and watermarked, two seeds each; one with the marks of ``keyed-4``."""
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
    record = Keyed(key=public_test_key(Lab("proof"), "toy", "keyed-4")).record()
    marked = workspace.root / "data/watermarked/toy-keyed-4"
    write_json(marked / "key.json", {"watermark": record})
    names = [("none", 1), ("none", 2), ("badnets-line", 1), ("badnets-line", 2), ("keyed-4", 1)]
    for seed, (watermark, number) in enumerate(names):
        folder = workspace.root / f"data/models/toy-resnet18-{watermark}-{number}"
        save_model(tiny_model(seed), folder, {})
    return workspace


@pytest.fixture
def lab(proof_project):
    """What the experiments are given."""
    return Lab("proof")


@pytest.fixture
def thief(proof_project, monkeypatch):
    """The model that was trained on marked data is a perfect thief; the others stay."""
    loads = Lab.model

    def load(lab, case):
        return Thief(key_of(lab, case)) if case == THIEF else loads(lab, case)

    monkeypatch.setattr(Lab, "model", load)
    return proof_project
