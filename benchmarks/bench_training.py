"""Our training loop against the usual one: same network, same augmentation, same steps."""

import time

import pytest
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import build
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train

BATCH, CLASSES = 128, tuple("abcdefghij")
PEERS = {16: 2.2, 64: 3.0}  # how many times faster we are, on a CPU with AMX


def images(n: int) -> Dataset:
    """Noise of CIFAR-10's size."""
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, 32, 32, 3), generator=draw, dtype=torch.uint8)
    index = torch.arange(n)
    return Dataset(pixels.permute(0, 3, 1, 2), index % 10, index, CLASSES)


def network(width: int) -> nn.Module:
    """The same ResNet-18 for both."""
    draw = torch.Generator().manual_seed(0)
    return build("resnet18", shape=(3, 32, 32), classes=10, width=width, generator=draw)


def ours(width: int, data: Dataset, precision: str) -> float:
    """Images a second of processor time of our loop, without the first step."""
    told: list[tuple[float, int]] = []
    config = TrainingConfig(epochs=1, lr=0.01, batch_size=BATCH, precision=precision)
    train(
        network(width),
        data,
        config,
        generator=torch.Generator().manual_seed(0),
        on_progress=lambda done, note, resumed: told.append((time.process_time(), done)),
    )
    (start, first), (end, last) = told[0], told[-1]
    return (last - first) / (end - start)


def theirs(width: int, data: Dataset) -> float:
    """Images a second of a DataLoader over PIL images, in fp32, without the first step."""
    from torch.utils.data import DataLoader, TensorDataset
    from torchvision import transforms
    from torchvision.transforms.functional import to_pil_image

    augment = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
        ]
    )
    rows = [(to_pil_image(x), int(y)) for x, y in zip(data.samples, data.labels, strict=True)]

    def collate(positions):
        batch = [(augment(rows[int(i)][0]), rows[int(i)][1]) for (i,) in positions]
        return torch.stack([x for x, _ in batch]), torch.tensor([y for _, y in batch])

    loader = DataLoader(
        TensorDataset(torch.arange(len(rows))), BATCH, shuffle=True, collate_fn=collate
    )
    model = network(width).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    told = []
    for x, y in loader:
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
        told.append(time.process_time())
    return (len(rows) - BATCH) / (told[-1] - told[0])


@pytest.mark.parametrize(("width", "steps", "least"), [(16, 16, 1.2), (64, 6, None)])
def bench_training(benchmark, report, width, steps, least):
    data = images(BATCH * steps)
    peers = theirs(width, data)
    fp32 = ours(width, data, "fp32")
    bf16 = benchmark.pedantic(ours, args=(width, data, "bf16"), rounds=2)
    bf16 = max(bf16, ours(width, data, "bf16"))
    amx = torch.cpu._is_amx_tile_supported()
    name = f"training, ResNet-18 of width {width}, 32x32x3"
    report(f"{name}, ours", bf16, unit="images/s of processor time")
    report(f"{name}, ours in fp32", fp32, unit="images/s of processor time")
    report(f"{name}, the peers' way", peers, unit="images/s of processor time")
    report(f"{name}, ours in fp32 against the peers' way", fp32 / peers, unit="times", least=least)
    report(
        f"{name}, ours against the peers' way",
        bf16 / peers,
        unit="times",
        least=PEERS[width],
        applies="" if amx else "this CPU has no AMX",
    )
