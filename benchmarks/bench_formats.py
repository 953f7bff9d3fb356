"""How much memory and processor time it takes to read what owners bring, as ``watermark`` does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# The pass in which a copy's source is measured: every row decoded, hashed, and its root taken.
READ = """
import sys, time
from datadeed.owner.data import measure, open_data

start = time.process_time()
data, _ = open_data(sys.argv[1])
found, _ = measure(data, "data")
print(found.rows, time.process_time() - start)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 2**20)
"""


def read(path: Path) -> tuple[float, float, float]:
    """Rows, seconds of processor time without the imports, and the process's peak in GiB."""
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, seconds, peak = map(float, done.stdout.split())
    return rows, seconds, peak


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def bench_npz(benchmark, report, tmp_path, save):
    """300,000 images, 0.9 GB as they are; the peak is the whole process's, PyTorch included."""
    n = 300_000
    pixels = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8)
    save(tmp_path / "set.npz", x=pixels, y=np.arange(n) % 10)
    del pixels
    rows, seconds, peak = benchmark.pedantic(read, args=(tmp_path / "set.npz",), rounds=1)
    assert rows == n
    report(f"read {save.__name__}, 32x32x3", n / seconds, unit="images/s of processor time")
    name = f"read {save.__name__} of 300,000 images, peak memory"
    report(name, peak, unit="GiB", most=1e9 / 2**30, timing=False)
