"""Tiny encoders and classifiers of texts; what a process with models imports."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datadeed.models.text import NETWORKS, TextClassifier, build_text
from tests.models.tiny_text import write_encoder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny encoder of each family."""
    root = tmp_path_factory.mktemp("encoders")
    families = sorted(set(NETWORKS.values()))
    return {family: write_encoder(root / family, family) for family in families}


@pytest.fixture(scope="session")
def make(folders: dict[str, Path]) -> Callable[..., TextClassifier]:
    """Makes tiny classifiers."""

    def make_one(seed: int = 0, network: str = "bert", **values: object) -> TextClassifier:
        chosen = {"weights": folders[NETWORKS[network]], "classes": 2, "max_length": 16, **values}
        return build_text(network, generator=torch.Generator().manual_seed(seed), **chosen)

    return make_one


STEPS = """
import sys, torch, datadeed.models.text
from datadeed.models.training.optimiser import SGD, AdamW
layer = torch.nn.Linear(2, 2)
named = list(layer.named_parameters())
for optimiser in (SGD(named, momentum=0.9, weight_decay=0.1), AdamW(named, weight_decay=0.1)):
    layer(torch.ones(1, 2)).sum().backward()
    optimiser.step(0.1)
print(*sys.modules)
"""


@pytest.fixture(scope="session")
def loaded() -> set[str]:
    """The modules of a process that knows all models and has taken steps of each optimiser.

    One of its own: other tests import more here.
    """
    answer = subprocess.run(
        [sys.executable, "-c", STEPS], check=True, capture_output=True, text=True
    )
    return set(answer.stdout.split())
