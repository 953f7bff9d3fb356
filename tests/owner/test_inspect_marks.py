"""Which rows of a release carry a key's marks: texts and sound (images: tests/cli/test_inspect)."""

from pathlib import Path

import numpy as np
import pytest

from datadeed.datasets.formats.registry import read
from datadeed.errors import EvidenceError, UnsupportedModality
from datadeed.keys.key import Key
from datadeed.owner.commit import commit
from datadeed.owner.inspect import inspect
from datadeed.owner.inspect_marks import marked_rows
from datadeed.owner.protect import protect
from tests.cli.test_watermark_texts import write
from tests.cli.texts import rows
from tests.conftest import toy
from tests.owner.test_sounds import SETTINGS, folder

MARKS = 48


def texts(root: Path) -> tuple[Path, Key]:
    source, pool = root / "reviews.csv", root / "pool.csv"
    write(source, rows(160))
    write(pool, rows(80, first=1000))
    return source, keyed(source, pool, 160)


def sounds(root: Path) -> tuple[Path, Key]:
    source, pool = folder(root / "clips"), folder(root / "pool", 60, seed=1)
    return source, keyed(source, pool, 80, settings=SETTINGS)


def keyed(source: Path, pool: Path, of: int, **more: object) -> Key:
    design = {"parts": 8, "rate": MARKS / of, "alpha": 1e-3, "least_effect": 0.4}
    where = {"secret": source.parent / "safe/key.json", "pool": pool}
    return commit(source, **where, **design, few_marks=True, **more).key


@pytest.mark.parametrize(
    ("make", "detector"), [(texts, "n-grams"), (sounds, "snippets")], ids=["texts", "sounds"]
)
def test_rows_are_those_that_changed(make, detector, tmp_path):
    source, key = make(tmp_path)
    out = tmp_path / f"released{source.suffix}"
    protect(source, out, key)
    before, after = read(source), read(out)
    pairs = zip(before.samples, after.samples, strict=True)  # labels stay, and so does the order
    changed = np.array([np.any(np.asarray(old) != np.asarray(new)) for old, new in pairs])
    assert 0 < changed.sum() <= MARKS
    assert np.array_equal(marked_rows(key, source, out, after), changed)

    found = inspect(out, key=key, source=source)
    assert found.marks == changed.sum()
    assert {one.name: one.auc is None for one in found.findings}[detector] is False
    with pytest.raises(EvidenceError, match=r"a sample that the key marks .* is not in the releas"):
        inspect(source, key=key, source=source)


def test_a_release_of_another_kind_is_refused(tmp_path):
    source, key = texts(tmp_path)
    with pytest.raises(UnsupportedModality, match="the key marks texts, but the dataset holds ima"):
        inspect(toy(20, classes=2), key=key, source=source)
