"""Seconds of one iteration of gradient matching, and how they grow with what they depend on.

An iteration differentiates twice through the surrogate for every marked sample. Retrainings are not
in it: they are trainings (bench_training.py).
"""

import time
from itertools import pairwise

import pytest
import torch

from datadeed.models.classifier import build
from datadeed.perturbations.matching import Matching, match_gradients

BATCH = 64
BASE = {"marks": 128, "side": 32, "width": 16, "precision": "bf16"}


def seconds(*, marks: int, side: int, width: int, precision: str) -> float:
    """Of the fastest iteration but the first, which also allocates."""
    draw = torch.Generator().manual_seed(0)
    shape = (3, side, side)
    model = build("resnet18", shape=shape, classes=10, width=width, generator=draw)
    model.to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (marks, side, side, 3), generator=draw, dtype=torch.uint8)
    wanted = [torch.randn(p.shape, generator=draw) for p in model.parameters()]
    told = [time.monotonic()]
    match_gradients(
        model,
        images.permute(0, 3, 1, 2),
        torch.arange(marks) % 10,
        Matching(iterations=2, retrainings=0, batch_size=BATCH, precision=precision),
        objective=lambda surrogate: wanted,
        retrain=lambda samples, number: model,
        generator=draw,
        on_progress=lambda done, note, resumed: told.append(time.monotonic()),
    )
    return min(after - before for before, after in pairwise(told[1:]))


@pytest.fixture(scope="module")
def base() -> float:
    """Seconds an iteration of what the others are compared with."""
    return seconds(**BASE)


def bench_iteration(benchmark, report, base):
    taken = benchmark.pedantic(seconds, kwargs=BASE, rounds=1)
    assert taken > 0
    name = "crafting, 128 marks, 32x32x3, ResNet-18 of width 16"
    report(f"{name}, an iteration", min(base, taken), unit="s")
    report(f"{name}, a mark and iteration", min(base, taken) / BASE["marks"] * 1000, unit="ms")


# Twice the marks are twice the batches; four times the pixels are at most little more than four
# times the work. Four times the width is up to sixteen times the products, and on small networks
# less, since much else does not grow.
@pytest.mark.parametrize(
    ("what", "value", "most"), [("marks", 256, 2.5), ("side", 64, 6.0), ("width", 64, 16.0)]
)
def bench_growth(report, base, what, value, most):
    grown = seconds(**{**BASE, what: value})
    report(f"crafting, {what} {value} against {BASE[what]}", grown / base, unit="times", most=most)


@pytest.mark.parametrize("width", [16, 64])
def bench_precision(report, width):
    fp32, bf16 = (
        seconds(**{**BASE, "width": width, "precision": precision})
        for precision in ("fp32", "bf16")
    )
    amx = torch.cpu._is_amx_tile_supported()
    note = "with AMX" if amx else "this CPU has no AMX"
    report(f"crafting, width {width}, fp32 against bf16 ({note})", fp32 / bf16, unit="times")
