"""The demonstration's owner: ``python -m tasks.demo_owner DATASET``.

Writes the pool, the test images that his surrogate gets right with the least margin, and marks the
data as ``datadeed watermark`` would by default, with a public test key.
"""

import argparse
import hashlib

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.datasets.formats.registry import read
from datadeed.keys.extent import extent_of
from datadeed.keys.generation2 import USUAL_CARRIERS, Design2, Key2
from datadeed.owner.alternatives import plain_carrier
from datadeed.owner.hard_pool import hard_pool
from datadeed.owner.proposal import Demand, propose
from datadeed.watermarks.keyed2 import Keyed2
from tasks.common import DATA, parameters, stage
from tasks.demo import SEED, WATERMARK, folder_of
from tasks.mark import release


def mark(dataset: str) -> None:
    """Choose the pool, and mark the data with the key that a plan proposes."""
    out = DATA / "watermarked" / f"{dataset}-{WATERMARK}"
    pool, test = out / "pool.parquet", DATA / "datasets" / dataset / "test.parquet"
    pool.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    hard_pool(folder_of(dataset, "surrogate"), read_dataset(test), pool)
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    key = public_test_key(dataset, source.read(), read(pool))
    method = Keyed2.for_data(source.form, source.classes, SEED, key=key, data=source)
    release(method, source, dataset, WATERMARK, out)


def public_test_key(dataset: str, data: Dataset, pool: Dataset) -> Key2:
    """The usual key for such data; the same parameters always give the same one."""
    counts = torch.bincount(data.labels, minlength=len(data.classes))
    design = Design2(
        classes=data.classes,
        channels=data.shape[0],
        targets=tuple(counts.nonzero().squeeze(1).tolist()),
        carrier=plain_carrier(USUAL_CARRIERS["image"]),
    )
    smallest, size = int(counts[counts > 0].min()), min(data.shape[1:])
    demand = Demand(design, len(data), smallest, len(pool), size=size)
    text = f"public test key 2 {parameters('seed')} {dataset} demo"
    secret, salt = (
        hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
    )
    return Key2(secret, salt, propose(demand).design, extent_of(data), extent_of(pool))


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    mark(parser.parse_args().dataset)


if __name__ == "__main__":
    main()
