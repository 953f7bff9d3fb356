"""Tiny encoders and classifiers of texts."""

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
