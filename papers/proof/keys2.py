"""Public test keys of the second generation; see :mod:`papers.proof.keys`."""

import hashlib

from datadeed.keys.generation2 import Design2, Key2
from papers.base import Case, Records
from papers.proof.keys import extent


def public_test_key2(lab: Records, dataset: str, watermark: str, name: str = "") -> Key2:
    """The key of an experiment; the same parameters always give the same key.

    Args:
        lab: of the proof.
        dataset: whose training set is marked and whose test set is the pool.
        watermark: an entry of ``keys2``.
        name: tells several keys of one watermark apart.
    """
    train = lab.train(dataset)
    classes = train.classes
    design = Design2(
        classes=classes,
        channels=train.shape[0],
        targets=tuple(range(len(classes))),
        **lab.params("keys2", watermark),
    )
    text = f"public test key 2 {lab.seed} {dataset} {watermark} {name}"
    secret, salt = (
        hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
    )
    return Key2(secret, salt, design, extent(train.blocks()), extent([lab.test(dataset)]))


def key2_of(lab: Records, case: Case) -> Key2:
    """The public test key whose marks a model was trained on."""
    return Key2.from_record(lab.record(case.dataset, case.watermark)["watermark"]["key"])
