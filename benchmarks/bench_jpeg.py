"""How fast JPEGs are committed to and released, against a loop that marks every one of them.

The loop decodes each file, adds a patch, and encodes at the same quality; both on one core, in
processor time. A release leaves nine rows in ten unmarked, but hashes all, and brings all to rest
(:func:`datadeed.owner.release.jpeg.settled`), unless told to keep JPEGs.
"""

import io
import itertools
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.owner.data import measure, open_data
from datadeed.owner.protect import edits
from datadeed.owner.release.edits import Manner
from datadeed.owner.release.release import release

CLASSES, QUALITY, ROWS = tuple(map(str, range(10))), 75, 1000


def _photo(draw: np.random.Generator, side: int) -> Image.Image:
    """Smooth, with some grain."""
    coarse = Image.fromarray(draw.integers(0, 256, (side // 8, side // 8, 3), np.uint8))
    pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = draw.integers(-6, 7, pixels.shape)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def _loop(files: list[bytes]) -> float:
    """Seconds of the loop."""
    start = time.process_time()
    for data in files:
        pixels = np.array(Image.open(io.BytesIO(data)))
        pixels[-5:, -5:] = 255
        _jpeg(Image.fromarray(pixels))
    return time.process_time() - start


def _write(root, files: list[bytes], form: str):
    if form == "parquet":
        rows = [{"bytes": data, "path": f"{row}.jpg"} for row, data in enumerate(files)]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        columns = {"image": pa.array(rows, kind), "label": pa.array(np.arange(len(files)) % 10)}
        pq.write_table(pa.table(columns), root / "train-00000-of-00001.parquet")
        return root / "train-00000-of-00001.parquet"
    for row, data in enumerate(files):
        (root / "set" / str(row % 10)).mkdir(parents=True, exist_ok=True)
        (root / "set" / str(row % 10) / f"{row}.jpg").write_bytes(data)
    return root / "set"


@pytest.mark.parametrize("form", ["imagefolder", "parquet"])
@pytest.mark.parametrize(("jpegs", "least"), [(True, 0.03), (False, 0.15)])
def bench_jpegs(report, tmp_path, form, jpegs, least):
    draw, side = np.random.default_rng(0), 64
    files = [_jpeg(_photo(draw, side)) for _ in range(ROWS)]
    source, numbers = _write(tmp_path, files, form), itertools.count()
    design = Design2(CLASSES, 3, tuple(range(10)), rate=0.1, carrier={"name": "mosaic"})

    def run() -> float:
        start = time.process_time()
        data, _ = open_data(source)
        extent, _ = measure(data, "data")
        key = Key2(bytes(32), bytes(32), design, extent, Extent(1000, "00" * 32))
        rows, edit = edits(key, data)
        out = tmp_path / f"out-{next(numbers)}{source.suffix}"
        rng = np.random.default_rng(1)
        release(source, out, rows=rows, edit=edit, generator=rng, manner=Manner(jpegs=jpegs))
        return time.process_time() - start

    ratio = min(_loop(files) for _ in range(3)) / min(run() for _ in range(3))
    name = f"watermark {form} of JPEGs, 64x64, {'at rest' if jpegs else 'others kept'}"
    report(name, ratio, unit="times a loop's speed", least=least, timing=False)
