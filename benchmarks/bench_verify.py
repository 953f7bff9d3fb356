"""How long a verification takes once the data and the model are there."""

import numpy as np
import torch

from datadeed.models.classifier import build
from datadeed.owner.suspects.local import BATCH
from datadeed.verification.answers import Answers
from datadeed.verification.dvbw import Settings, verify_dvbw


def simulated(n: int = 5000, classes: int = 10, target: int = 5) -> Answers:
    """A watermarked model's answers to ``n`` samples: 98 % hits, 90 % right otherwise."""
    draw = np.random.default_rng(0)
    label = np.arange(n) % classes
    clean = np.where(draw.random(n) < 0.9, label, draw.integers(0, classes, n))
    triggered = np.where(draw.random(n) < 0.98, target, clean)
    before, after = (clean == target) * 0.9, (triggered == target) * 0.9
    noise = draw.random((2, n)) * 0.1
    return Answers(
        target, np.arange(n), label, clean, triggered, before + noise[0], after + noise[1]
    )


def bench_verify_dvbw(processor, report):
    answers = simulated()

    def run():
        verify_dvbw(answers, classes=10, settings=Settings(), rng=np.random.default_rng(1))

    seconds = processor(run)
    name = "verify_dvbw, 5,000 answers, 1,000 renumberings"
    report(name, seconds, unit="s of processor time", most=0.04)


def bench_predict(processor, report):
    model = build("resnet18", shape=(3, 32, 32), classes=10, width=16, generator=torch.Generator())
    model.to(memory_format=torch.channels_last)
    pixels = torch.randint(0, 256, (2048, 32, 32, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    seconds, whole = (
        processor(lambda size=size: model.predict(pixels, batch_size=size), rounds=2)
        for size in (BATCH, 512)
    )
    name = "predict, ResNet-18 of width 16, 32x32x3"
    report(name, len(pixels) / seconds, unit="images/s of processor time")
    report(f"{name}, in batches of {BATCH}", whole / seconds, unit="times 512", least=0.8)
