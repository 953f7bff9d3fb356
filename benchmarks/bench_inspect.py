"""How long the look at a release takes."""

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.owner.inspect import inspect

CLASSES = tuple("abcdefghij")


def smooth(n: int) -> Dataset:
    """Images of 32 x 32 with a smooth background that depends on the class, and fine noise."""
    draw = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 200, (n, 3, 4, 4), generator=draw).float()
    labels = torch.arange(n) % 10
    coarse[torch.arange(n), 0, labels % 4, labels // 4] = 255
    images = torch.cat(
        [
            torch.nn.functional.interpolate(part, size=32, mode="bicubic").clamp(0, 230)
            for part in coarse.split(5000)
        ]
    )
    images += torch.randint(0, 25, images.shape, generator=draw)
    samples = images.to(torch.uint8).contiguous(memory_format=torch.channels_last)
    return Dataset(samples, labels, torch.arange(n), CLASSES)


def bench_inspect(benchmark, report):
    data = smooth(50_000)
    benchmark.pedantic(inspect, args=(data,), rounds=1)
    seconds = benchmark.stats.stats.min
    report("inspect 50,000 images, 32x32x3 in memory", seconds, unit="s", most=60)
