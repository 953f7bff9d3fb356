"""Checking a release of image files: what a lossy format may change, and what nothing may."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datadeed.errors import EvidenceError
from datadeed.keys.generation2 import Key2
from datadeed.owner.check_release import check_release
from datadeed.owner.commit import commit
from datadeed.owner.data import open_data
from datadeed.owner.protect import protect
from datadeed.owner.release.pictures import settle
from tests.conftest import toy
from tests.datasets.formats.writers import write


def smooth(row: int) -> Image.Image:
    """A picture that a JPEG holds well."""
    rng = np.random.default_rng(row)
    small = rng.integers(40, 215, size=(4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((24, 24), Image.Resampling.BICUBIC)


@pytest.fixture(params=["png", "jpg"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Key2, Path, Path]:
    """A key, a folder of 120 pictures, and its marked copy."""
    source = tmp_path / "photos"
    for row in range(120):
        path = source / f"class {row % 4}" / f"{row:03d}.{request.param}"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth(row).save(path, quality=85)
    pool = tmp_path / "pool.npz"
    write(toy(60, classes=4, shape=(3, 24, 24)), pool, format="npz")
    design: dict[str, Any] = {"parts": 10, "rate": 0.2, "alpha": 1e-2, "few_marks": True}
    key = commit(source, tmp_path / "safe/key.json", pool=pool, carrier="patch", **design).key
    return key, source, protect(source, tmp_path / "released", key).out


def unmarked(source: Path, released: Path) -> Path:
    """A file of the copy that carries no mark: it is one of the source's, at rest."""
    known = {settle(path.name, path.read_bytes()) for path in source.rglob("*.*")}
    return next(path for path in sorted(released.rglob("*.*")) if path.read_bytes() in known)


def test_the_copy_passes_and_says_what_was_encoded_again(made: tuple[Key2, Path, Path]) -> None:
    key, source, released = made
    found = check_release(key, open_data(source)[0], open_data(released)[0])
    if next(source.rglob("*.*")).suffix == ".png":
        assert found == "all 120 rows are exactly as the key marks them"
    else:
        assert "others were encoded again" in found


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_another_pixel_of_an_unmarked_picture_is_found(
    made: tuple[Key2, Path, Path], suffix: str
) -> None:
    key, source, released = made
    path = unmarked(source, released)
    pixels = np.array(Image.open(path).convert("RGB"))
    pixels[0, 0, 0] ^= 64  # less would be lost in a JPEG
    path.unlink()
    Image.fromarray(pixels).save(path.with_suffix(suffix), quality=95)
    with pytest.raises(EvidenceError, match="holds other rows"):
        check_release(key, open_data(source)[0], open_data(released)[0])
