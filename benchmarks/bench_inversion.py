"""Inverting eight small models on one core: seconds of processor time, and their bound."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.invert import EnsembleInversion
from papers.ensemble_inversion.networks import small

ROOT = Path(__file__).parents[1]
ARCHITECTURES = yaml.safe_load((ROOT / "papers/ensemble_inversion/params.yaml").read_text())[
    "architectures"
]
VALUES = yaml.safe_load((ROOT / "scales/lite.yaml").read_text())["ensemble_inversion"]["inversion"]
SECONDS = 10


@pytest.mark.parametrize("kind", ["same", "diverse"])
def bench_an_inversion(kind: str, report: Callable[..., None]) -> None:
    torch.set_num_threads(1)
    given = list(ARCHITECTURES.values()) if kind == "diverse" else [ARCHITECTURES["lenet"]] * 8
    members = [
        small(one, shape=(1, 28, 28), classes=10, generator=torch.Generator().manual_seed(i))
        for i, one in enumerate(given)
    ]
    ensemble, draw = Ensemble(members), torch.Generator().manual_seed(0)
    start = time.process_time()
    EnsembleInversion(**VALUES)(ensemble, generator=draw)
    spent = time.process_time() - start
    report(f"inversion of 8 {kind} models", spent, unit="s", most=SECONDS)
