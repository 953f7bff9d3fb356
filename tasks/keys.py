"""Public test keys: the keys of experiments, which are no secret and are ordinary artifacts.

An owner's key comes from the operating system's generator (``datadeed commit``) and is never an
artifact of the pipeline.
"""

import hashlib
from typing import Any

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.keys.key import Design, Extent, Key
from datadeed.keys.merkle import leaf, merkle_root
from tasks.common import DATA, parameters

PROOF = "papers/proof/params.yaml"


def extent(source: DatasetFile) -> Extent:
    """Rows and Merkle root of a dataset on disk."""
    leaves = (
        leaf(pixels, label)
        for block in source.blocks()
        for pixels, label in zip(
            block.samples.permute(0, 2, 3, 1).numpy(), block.labels.tolist(), strict=True
        )
    )
    return Extent(len(source), merkle_root(leaves))


def public_test_key(dataset: str, watermark: str, name: str = "") -> Key:
    """The key of an experiment; the same parameters always give the same key.

    Args:
        dataset: whose training set is marked and whose test set is the pool.
        watermark: an entry of ``papers/proof/params.yaml``.
        name: tells several keys of one watermark apart.
    """
    train, test = (
        DatasetFile(DATA / "datasets" / dataset / f"{split}.parquet") for split in ("train", "test")
    )
    spec: dict[str, Any] = parameters("watermarks", watermark, file=PROOF)
    design = Design(
        classes=train.classes,
        channels=train.shape[0],
        parts=spec["parts"],
        rate=spec["rate"],
        **parameters("design", file=PROOF),
    )
    text = f"public test key {parameters('seed')} {dataset} {watermark} {name}"
    secret, salt = (
        hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
    )
    return Key(secret, salt, design, extent(train), extent(test))
