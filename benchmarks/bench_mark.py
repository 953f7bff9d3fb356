"""How fast data is watermarked, and in how much memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.datasets.form.parquet import DatasetFile, DatasetWriter, rows_per_group
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.randomness import generator
from datadeed.watermarks.badnets import BadNets
from datadeed.watermarks.blended import Blended
from datadeed.watermarks.carriers.registry import carrier_of, pool_images
from datadeed.watermarks.marking import mark_file

SHAPE, CLASSES = (3, 32, 32), tuple("abcdefghij")
PATTERN = {"kind": "line", "rows": 2, "value": 0}
VALUES = {"pattern": PATTERN, "image_size": SHAPE[1:], "rate": 0.1, "target": 5}


def write_random(path: Path, n: int) -> None:
    """A dataset of ``n`` images of noise, written block by block: compression gains nothing."""
    draw = torch.Generator().manual_seed(0)
    with DatasetWriter(path, Form("image", SHAPE), CLASSES) as writer:
        for start in range(0, n, rows_per_group(SHAPE)):
            rows = min(rows_per_group(SHAPE), n - start)
            pixels = torch.randint(0, 256, (rows, 32, 32, 3), generator=draw, dtype=torch.uint8)
            index = torch.arange(start, start + rows)
            writer.write(Dataset(pixels.permute(0, 3, 1, 2), index % 10, index, CLASSES))


@pytest.mark.parametrize(("kind", "least"), [(BadNets, 350_000), (Blended, 150_000)])
def bench_trigger_in_memory(processor, report, kind, least):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (50_000, 32, 32, 3), generator=draw, dtype=torch.uint8)
    index = torch.arange(50_000)
    data, mark = Dataset(pixels.permute(0, 3, 1, 2), index % 10, index, CLASSES), kind(**VALUES)
    speed = len(data) / processor(lambda: mark.trigger(data), rounds=7)
    report(
        f"trigger {kind.name}, 32x32x3 in memory",
        speed,
        unit="images/s of processor time",
        least=least,
    )


KEYED = {"patch": 800_000, "mosaic": 70_000, "grating": 240_000, "cutout": 70_000, "mixed": 90_000}


@pytest.mark.parametrize(("name", "least"), KEYED.items())
def bench_keyed_in_memory(processor, report, name, least):
    """Rows of a dataset, of which a key of the default rate marks one in twenty."""
    n, draw = 100_000, torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, *SHAPE), generator=draw, dtype=torch.uint8)
    index, pool = torch.arange(n), pixels[:1000]
    data = Dataset(pixels, index % 10, index, CLASSES)
    carrier = {"name": name} | ({"opacity": 255} if name == "patch" else {})
    design = Design2(CLASSES, SHAPE[0], tuple(range(10)), carrier=carrier)
    key = Key2(bytes(32), bytes(32), design, Extent(n, "00" * 32), Extent(1000, "00" * 32))
    one, labels = carrier_of(key, pool_images(key, pool)), data.labels.numpy()

    def run():
        hosts = one.hosts(labels)
        partners = None if hosts.partners is None else pixels[hosts.partners]
        return one.marks(pixels[hosts.rows], partners, hosts.parts, hosts.rows)

    assert len(run()) > 0.049 * n
    speed = n / processor(run)
    report(
        f"keyed marks {name}, 32x32x3 in memory",
        speed,
        unit="images/s of processor time",
        least=least,
    )


def bench_file_to_file(processor, report, tmp_path):
    n = 100_000
    write_random(tmp_path / "in.parquet", n)
    source = DatasetFile(tmp_path / "in.parquet")

    def run():
        mark_file(BadNets(**VALUES), source, tmp_path / "out.parquet", generator(1))

    speed = n / processor(run, rounds=3)
    report(
        "watermark Parquet to Parquet, 32x32x3",
        speed,
        unit="images/s of processor time",
        least=100_000,
    )


# Not getrusage: on Linux a child's ru_maxrss starts at what its parent held when it was started.
MARK_BIG = """
import json, sys, time
from datadeed.datasets import DatasetFile
from datadeed.randomness import generator
from datadeed.watermarks import BadNets, mark_file

watermark = BadNets(**json.loads(sys.argv[3]))
start = time.monotonic()
marks = mark_file(watermark, DatasetFile(sys.argv[1]), sys.argv[2], generator(1))
print(len(marks), time.monotonic() - start)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 2**20)
"""


def bench_memory_of_an_imagenet_of_rows(benchmark, report, tmp_path):
    """1.28 million images, 3.9 GB on disk; the figure is the whole process, PyTorch included."""
    n = 1_281_167
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    write_random(source, n)
    command = [sys.executable, "-c", MARK_BIG, str(source), str(out), json.dumps(VALUES)]

    def run():
        return subprocess.run(command, check=True, capture_output=True, text=True)

    try:
        found = benchmark.pedantic(run, rounds=1)
    finally:
        source.unlink()
        out.unlink(missing_ok=True)
    marked, seconds, peak = map(float, found.stdout.split())
    assert marked == n // 10
    name = "watermark 1.28 million images"
    report(f"{name}, peak memory", peak, unit="GiB", most=1e9 / 2**30, timing=False)
    report(f"{name}, speed", n / seconds, unit="images/s")
