"""What is said of image files before a row is drawn or a key is made."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from datadeed.errors import DatasetError
from datadeed.owner.commit import commit
from datadeed.owner.plan_data import plan_data
from datadeed.owner.protect_published import protect_published
from datadeed.owner.release.edits import Manner
from tests.owner.release.release_toys import invert, run


def photos(root: Path, form: str, odd: int, **options) -> Path:
    """Sixty JPEGs of two classes; ``odd`` of them in another form."""
    for row in range(60):
        folder = root / ("ant", "bee")[row % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(row).integers(0, 256, (16, 16, 3), np.uint8)
        here = row % (60 // odd) == 0
        form_, more = (form, options) if here else ("JPEG", {"quality": 95})
        Image.fromarray(pixels).save(folder / f"{row:03}.jpg", form_, **more)
    return root


@pytest.mark.parametrize("job", ["commit", "plan", "publish"])
def test_files_that_cannot_be_written_again_are_refused_before_there_is_a_secret(tmp_path, job):
    source, secret = photos(tmp_path / "set", "GIF", odd=6), tmp_path / "keys" / "secret.json"
    jobs = {
        "commit": lambda: commit(source, secret, few_marks=True, alpha=0.05),
        "plan": lambda: plan_data(source),
        "publish": lambda: protect_published("badnets", source, tmp_path / "out", secret),
    }
    with pytest.raises(DatasetError, match=r"6 of 60 images cannot be written .*000\.jpg is GIF"):
        jobs[job]()
    assert [one.name for one in tmp_path.iterdir()] == ["set"]


def test_an_orientation_is_said_once(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    source, notes = photos(tmp_path / "set", "JPEG", odd=6, exif=exif), []
    protect_published("badnets", source, tmp_path / "out", tmp_path / "s.json", note=notes.append)
    assert sum("6 of 60 images carry an EXIF orientation" in line for line in notes) == 1


@pytest.mark.parametrize("manner", [Manner(), Manner(jpegs=False)])
@pytest.mark.parametrize("rows", [(0,), (1,), (3, 10, 20)])
def test_photos_with_several_pictures_become_plain_jpegs_whichever_are_marked(
    tmp_path, manner, rows
):
    more = Image.new("RGB", (16, 16))
    source = photos(tmp_path / "set", "MPO", odd=6, save_all=True, append_images=[more])

    def kept(row, pixels, label):
        return invert(row, pixels, label)[0], label

    run(source, tmp_path / "out", rows=rows, edit=kept, split=None, manner=manner)
    files = sorted((tmp_path / "out").rglob("*.jpg"))
    assert len(files) == 60
    for file in files:
        with Image.open(file) as image:
            assert image.format == "JPEG"
        assert b"MPF\0" not in file.read_bytes()[:4096]
