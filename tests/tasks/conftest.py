"""A small project of UBW: parameters, and models without training."""

import pytest
import yaml

from datadeed.models.stored import save_model

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


@pytest.fixture
def ubw_project(workspace, tiny_model):
    """A project with UBW's parameters; its surrogate and its benign models are untrained."""
    models = workspace.parameters["models"]["toy"]
    training = {"epochs": 1, "batch_size": 16, "lr": 0.05, "schedule": "one-cycle"}
    again = models["resnet18"] | {"training": training}
    models |= {"surrogate": models["resnet18"], "retraining": again}
    matching = {"iterations": 4, "retrainings": 2, "last_retraining": True}
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
    for seed, name in enumerate(("surrogate-none-0", "resnet18-none-1", "retraining-none-0")):
        save_model(tiny_model(seed), workspace.root / f"data/models/toy-{name}", {})
    return workspace
