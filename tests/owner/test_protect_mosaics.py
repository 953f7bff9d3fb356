"""Marks that keep labels: whoever has the key, and the pool, can tell that all is there."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from datadeed.datasets.formats.registry import read
from datadeed.errors import EvidenceError, KeyRecordError, WatermarkError
from datadeed.owner.check import FAILED, PASSED, check
from datadeed.owner.check_release import check_release
from datadeed.owner.commit import commit
from datadeed.owner.data import open_data
from datadeed.owner.protect import edits, protect
from datadeed.owner.release.rows import Items
from datadeed.owner.verify import verify
from datadeed.watermarks.carriers.registry import pool_images
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset
from tests.conftest import toy
from tests.datasets.formats.writers import write
from tests.judge_toys import Toy, honest, new_key, thief


@pytest.fixture
def source(tmp_path):
    """120 images of 10 classes; the pool is a file beside them."""
    write(toy(120, classes=10, shape=(3, 16, 16)), tmp_path / "data.npz", format="npz")
    write(toy(100, classes=10, shape=(3, 16, 16), seed=1), tmp_path / "pool.npz", format="npz")
    return tmp_path / "data.npz"


def no_pool():
    raise AssertionError("mosaics are made of no pool")


def keyed(source, **more):
    pool, safe = source.with_name("pool.npz"), source.parent / "safe/key.json"
    design = {"parts": 6, "rate": 0.2, "alpha": 1e-3, "carrier": "mosaic", "few_marks": True}
    return commit(source, safe, pool=pool, **(design | more))


def test_the_copy_has_the_marks_of_the_pipeline_and_the_same_labels(source, tmp_path):
    committed = keyed(source)
    assert committed.key.design.record()["carrier"] == {"name": "mosaic"}
    made = protect(source, tmp_path / "out.npz", committed.secret)
    before, after = read(source), read(made.out)
    expected, marks = mark_dataset(
        Keyed2(key=committed.key, data=before), before, torch.Generator()
    )
    assert torch.equal(after.samples, expected.samples)
    assert torch.equal(after.labels, before.labels)
    assert made.marked == made.release.edited == len(marks) == 24
    assert made.release.relabelled == 0
    found = check_release(
        committed.key, open_data(source)[0], open_data(made.out)[0], open_samples=no_pool
    )
    assert found == "all 120 rows are exactly as the key marks them"


def test_parts_that_share_a_class_are_told(source, tmp_path):
    """12 parts of 8 marks have 10 classes of 12 rows, so that two of them share one."""
    notes = []
    key = keyed(source, parts=12, rate=0.8).key
    made = protect(source, tmp_path / "out.npz", key, note=notes.append)
    assert made.marked < 96
    assert f"{made.marked} rows are marked and not 96: parts that drew the same class" in notes[0]
    notes.clear()
    protect(source, tmp_path / "few.npz", keyed_again(source), note=notes.append)
    names = "class 0, class 1, class 2, class 3, class 4, ..."
    assert notes == [f"read {source} as npz: 120 rows of 10 classes ({names})"]


def keyed_again(source):
    """Another key, of 6 parts of two marks: no class is short of rows."""
    pool, safe = source.with_name("pool.npz"), source.parent / "again/key.json"
    few = {"parts": 6, "rate": 0.1, "alpha": 1e-3, "carrier": "mosaic", "few_marks": True}
    return commit(source, safe, pool=pool, **few).key


def test_a_release_without_one_mark_is_refused(source, tmp_path):
    key = keyed(source).key
    protect(source, tmp_path / "out.npz", key)
    before, after = read(source), read(tmp_path / "out.npz")
    row = int(edits(key, open_data(source)[0], no_pool)[0][3])
    after.samples[row] = before.samples[row]
    write(after, tmp_path / "less.npz", format="npz")
    with pytest.raises(EvidenceError, match="differs from every one"):
        check_release(
            key, open_data(source)[0], open_data(tmp_path / "less.npz")[0], open_samples=no_pool
        )


def test_images_of_several_sizes_are_refused(source):
    key, small = keyed(source).key, read(source)

    def stream():
        for n, pixels in enumerate(small.samples.permute(0, 2, 3, 1).numpy()):
            yield np.pad(pixels, ((0, n % 3), (0, 0), (0, 0)))

    data = Items("memory", small.classes, small.labels.numpy(), 3, stream)
    rows, edit = edits(key, data, no_pool)
    marked = set(rows.tolist())
    with pytest.raises(WatermarkError, match="images of different sizes"):
        [edit(item.row, item.pixels, item.label) for item in data if item.row in marked]


def commit_images(tmp_path, shapes, carrier="mosaic", pool_side=16):
    """Commit to 60 images of two classes, whose sides repeat those given."""
    labels, rng = torch.arange(60) % 2, np.random.default_rng(1)
    for name in ("dark", "light"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for n, label in enumerate(labels.tolist()):
        pixels = rng.integers(256, size=(*shapes[n % len(shapes)], 3), dtype=np.uint8)
        name = ("dark", "light")[label]
        Image.fromarray(pixels).save(tmp_path / "data" / name / f"{n}.png")
    pool = dataclasses.replace(
        toy(80, classes=2, shape=(3, pool_side, pool_side)), classes=("dark", "light")
    )
    more = {"few_marks": True, "parts": 20, "alpha": 1e-3, "rate": 0.5}
    return commit(tmp_path / "data", tmp_path / "safe/key.json", pool=pool, carrier=carrier, **more)


class TestSizes:
    def test_of_several_sizes_no_key_is_made(self, tmp_path):
        with pytest.raises(KeyRecordError, match=r"row 4 is of 16x17 pixels and row 0 of 16x16"):
            commit_images(tmp_path, [(16, 16), (16, 16), (16, 16), (16, 16), (16, 17)])
        assert not (tmp_path / "safe").exists()

    @pytest.mark.parametrize(("carrier", "least"), [("mosaic", 16), ("patch", 8)])
    def test_of_too_small_images_neither(self, tmp_path, carrier, least):
        with pytest.raises(KeyRecordError, match=f"{least - 1} pixels are too small for"):
            commit_images(tmp_path, [(20, least - 1)], carrier)
        assert not (tmp_path / "safe").exists()

    def test_one_small_image_among_others_is_found(self, tmp_path):
        with pytest.raises(KeyRecordError, match="row 59: images of 15 pixels are too small"):
            commit_images(tmp_path, [(16, 16)] * 59 + [(15, 16)])

    def test_of_a_pool_that_is_too_small(self, tmp_path):
        with pytest.raises(KeyRecordError, match="images of 15 pixels are too small for a mosaic"):
            commit_images(tmp_path, [(16, 16)], pool_side=15)

    def test_patches_go_on_images_of_several_sizes(self, tmp_path):
        assert commit_images(tmp_path, [(16, 16), (16, 17)], "patch").secret.exists()


def test_an_opacity_is_of_patches(source):
    with pytest.raises(KeyRecordError, match="opacity is of patch: leave it out with mosaic"):
        keyed(source, settings={"opacity": 200})
    with pytest.raises(KeyRecordError, match="choose patch, mosaic"):
        keyed(source, carrier="wave")


@pytest.mark.parametrize("name", ["cutout", "mixed"])
def test_marks_are_made_of_the_pool(name, source, tmp_path):
    many = {"parts": 20, "rate": 0.5}  # so that some parts of "mixed" are cut-outs
    committed, pool = keyed(source, carrier=name, **many), source.with_name("pool.npz")
    key, before, other = committed.key, read(source), tmp_path / "other.npz"
    made = protect(source, tmp_path / "out.npz", committed.secret, pool=pool)
    pieces = pool_images(key, read(pool).samples)
    marking = Keyed2(key=key, data=before, pool=pieces)
    expected, _ = mark_dataset(marking, before, torch.Generator())
    assert torch.equal(read(made.out).samples, expected.samples)
    named = {"source": source, "released": made.out}
    words = {name: check(key, pool=pool, **named), "other": check(key, pool=source, **named)}
    found = {
        name: next(line.word for line in lines if line.what == "release")
        for name, lines in words.items()
    }
    assert found == {name: PASSED, "other": FAILED}
    with pytest.raises(KeyRecordError, match="bound to 100"):
        protect(source, other, key, pool=source)
    assert not other.exists()


def test_a_pool_too_small_for_cutouts_is_refused(source):
    write(toy(40, classes=10, shape=(3, 16, 16)), source.with_name("pool.npz"), format="npz")
    with pytest.raises(KeyRecordError, match="or more: name a larger pool"):
        keyed(source, carrier="cutout", parts=21, rate=0.5)


@pytest.mark.parametrize("name", ["mosaic", "grating", "cutout", "mixed"])
@pytest.mark.parametrize(("say", "word"), [(thief, "CLAIM"), (honest, "NOT SUPPORTED")])
def test_suspects_are_asked_and_the_evidence_is_checked(say, word, name, tmp_path):
    pool = toy(100, classes=10, shape=(3, 16, 16))
    key, other = (new_key(pool=pool, carrier={"name": name}, parts=n) for n in (12, 11))
    done = verify(Toy(key, say, pool=pool), key, pool, tmp_path / "evidence")
    assert done.evidence["verdict"]["word"] == word
    write(pool, tmp_path / "pool.npz", format="npz")
    found = check(key, evidence=tmp_path / "evidence", pool=tmp_path / "pool.npz")
    assert not [line for line in found if line.word == FAILED]
    found = check(other, evidence=tmp_path / "evidence", pool=tmp_path / "pool.npz")
    assert FAILED in {line.word for line in found}
