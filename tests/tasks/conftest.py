"""A small project of UBW: parameters, and models without training."""

import pytest
import yaml

from datadeed.models.stored import save_model

UBW = {
    "poison_rate": 0.25,
    "poison_rates": {"toy": {"sleeper-agent": 0.2}},
    "target": 1,
    "verification": {"m": 10, "tau": 0.25, "released_tau": 0.2, "alpha": 0.1, "decoys": 9},
    "watermarks": {
        "badnets-square": {"method": "badnets"},
        "blended-square": {"method": "blended"},
        "wanet": {"method": "wanet", "grid": 2, "strength": 0.5},
        "label-consistent": {"method": "label-consistent", "epsilon": 8},
        "sleeper-agent": {
            "method": "sleeper-agent",
            "source": 0,
            "size": 4,
            "matching": {"epsilon": 16},
        },
        "ubw-p": {"method": "ubw-p"},
        "ubw-c": {
            "method": "ubw-c",
            "source": 0,
            "weight": 2.0,
            "size": 4,
            "matching": {"epsilon": 16},
        },
    },
    "patterns": {"toy": {"kind": "square", "size": 3}},
}


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
                "sleeper-agent": {"sources": 8, "matching": matching},
                "ubw-c": {"sources": 8, "matching": matching},
            }
        },
    }
    workspace.write()
    (workspace.root / "papers/ubw").mkdir()
    (workspace.root / "papers/ubw/params.yaml").write_text(yaml.safe_dump(UBW))
    for seed, name in enumerate(("surrogate-none-0", "resnet18-none-1")):
        save_model(tiny_model(seed), workspace.root / f"data/models/toy-{name}", {})
    return workspace
