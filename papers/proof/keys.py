"""Public test keys: the keys of experiments, which are no secret and are ordinary artifacts.

An owner's key comes from the operating system's generator (``datadeed commit``) and is never an
artifact of the pipeline. Whoever knows the names here knows the secrets.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator

from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.key import Design, Extent, Key
from datadeed.keys.merkle import leaf, merkle_root
from papers.base import Case, Records


def extent(blocks: Iterable[Dataset]) -> Extent:
    """Rows and Merkle root of images that come in blocks."""
    leaves = [
        leaf(pixels, label)
        for block in blocks
        for pixels, label in zip(
            block.samples.permute(0, 2, 3, 1).numpy(), block.labels.tolist(), strict=True
        )
    ]
    return Extent(len(leaves), merkle_root(leaves))


def public_test_key(lab: Records, dataset: str, watermark: str, name: str = "") -> Key:
    """The key of an experiment; the same parameters always give the same key.

    Args:
        lab: of the paper whose ``params.yaml`` holds ``design`` and ``watermarks``.
        dataset: whose training set is marked and whose test set is the pool.
        watermark: an entry of ``watermarks``.
        name: tells several keys of one watermark apart.
    """
    train = lab.train(dataset)
    spec = lab.params("watermarks", watermark)
    design = Design(
        classes=train.classes,
        channels=train.shape[0],
        parts=spec["parts"],
        rate=spec["rate"],
        **lab.params("design"),
    )
    secret, salt = _drawn(f"public test key {lab.seed} {dataset} {watermark} {name}")
    return Key(secret, salt, design, extent(train.blocks()), extent([lab.test(dataset)]))


def base_key(lab: Records, dataset: str) -> Key:
    """A key of the design that innocent models are asked under; others follow by name."""
    return public_test_key(
        lab, dataset, lab.params("experiments", "innocents", "watermark"), "innocents"
    )


def other_key(key: Key, name: str) -> Key:
    """The same design, data and pool under another secret and salt, which ``name`` decides."""
    secret, salt = _drawn(f"{key.commitment} {name}")
    return dataclasses.replace(key, secret=secret, salt=salt)


def ground_keys(key: Key, name: str, tries: int) -> Iterator[Key]:
    """The keys that an accuser without a beacon tries before he commits to the best of them.

    The chance that the best reaches 1/alpha is at most ``tries`` times alpha.
    """
    return (other_key(key, f"{name} try {n}") for n in range(tries))


def key_of(lab: Records, case: Case) -> Key:
    """The public test key whose marks a model was trained on."""
    return Key.from_record(lab.record(case.dataset, case.watermark)["watermark"]["key"])


def _drawn(text: str) -> tuple[bytes, bytes]:
    """Secret and salt, 32 bytes each."""
    secret, salt = (
        hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
    )
    return secret, salt
