"""Each image is decoded once to be measured, and then only those that marks are made of."""

import numpy as np
import pytest
from PIL import Image

from datadeed.datasets.formats import images
from datadeed.owner.check import check
from datadeed.owner.commit import commit
from datadeed.owner.protect import protect
from datadeed.owner.release.items import items

ROWS = 120


@pytest.fixture
def decoded(monkeypatch):
    """A list that grows with every image that is decoded."""
    found, fit = [], images.fit

    def counted(image, size):
        found.append(image.size)
        return fit(image, size)

    monkeypatch.setattr(images, "fit", counted)
    return found


@pytest.fixture
def photos(tmp_path):
    """JPEGs of 16 x 16 pixels in folders of ten classes."""
    draw = np.random.default_rng(0)
    for row in range(ROWS):
        folder = tmp_path / "photos" / str(row % 10)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{row}.jpg")
    return tmp_path / "photos"


def test_of_a_key_and_a_copy(photos, tmp_path, decoded):
    pixels = np.random.default_rng(1).integers(0, 256, (100, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "pool.npz", x=pixels, y=np.arange(100) % 10)
    design = {"parts": 6, "rate": 0.1, "alpha": 1e-3, "carrier": "mosaic", "few_marks": True}
    made = commit(photos, tmp_path / "safe/key.json", pool=tmp_path / "pool.npz", **design)
    assert len(decoded) == ROWS + 1  # the first one for its size
    decoded.clear()
    copy = protect(photos, tmp_path / "out", made.secret, measured=True)
    assert copy.marked == 12
    # A mark's partner, its own row, and how the copy's file is seen.
    assert 2 * copy.marked < len(decoded) <= 3 * copy.marked


def test_a_check_opens_data_once(photos, tmp_path, monkeypatch):
    made = commit(photos, tmp_path / "safe/key.json", parts=6, alpha=1e-3, few_marks=True)
    copy = protect(photos, tmp_path / "out", made.secret, measured=True)
    opened, channels_of = [], images.channels_of
    monkeypatch.setattr(images, "channels_of", lambda of: opened.append(of) or channels_of(of))
    found = check(made.key, source=photos, released=copy.out)
    words = {each.what: each.word for each in found}
    assert words["data"] == "passed"
    assert words["release"] != "not checked"  # noise that JPEG changes too much
    assert [of.where for of in opened] == [photos, copy.out]


def test_some_rows_are_those_of_all(photos, decoded):
    found = items(photos)
    some, every = list(found.some([7, 100, 3])), list(found)
    assert [one.row for one in some] == [3, 7, 100]
    assert len(decoded) == 3 + ROWS
    for one in some:
        assert np.array_equal(one.pixels, every[one.row].pixels)
        assert one.label == every[one.row].label


def test_damaged_files_are_found_once(photos, decoded):
    (photos / "3" / "3.jpg").write_bytes(b"no image")
    for _ in range(3):
        assert items(photos, damaged="skip").rows == ROWS - 1
    assert len(decoded) == ROWS - 1
    Image.new("RGB", (16, 16)).save(photos / "3" / "3.jpg")
    assert items(photos, damaged="skip").rows == ROWS
