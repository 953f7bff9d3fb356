"""Rows of which some cannot be read, and what does not belong into a copy."""

import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.data import check_images
from datadeed.owner.protect_notes import read_as
from datadeed.owner.release.items import items
from datadeed.owner.release.release import check_readable, release
from tests.datasets.formats.format_toys import save

BRIGHT = np.full((16, 16, 3), 255, np.uint8)


class TestDamaged:
    @pytest.fixture
    def folder(self, tmp_path):
        for row in range(12):
            save(tmp_path / "ab"[row % 2] / f"{row}.png", (16, 16, 3), value=row)
        # Within the pixels, in the header, before the end: a PNG that every decoder takes.
        for row, kept in {3: 50, 7: 30, 8: 50, 11: -12}.items():
            path = tmp_path / "ab"[row % 2] / f"{row}.png"
            path.write_bytes(path.read_bytes()[:kept])
        return tmp_path

    def test_all_are_named_at_once(self, folder):
        with pytest.raises(DatasetError, match="4 of 12 images cannot be used") as found:
            list(items(folder))
        assert all(f"{row}.png" in str(found.value) for row in (3, 7, 8, 11))
        assert "\n" not in str(found.value)

    @pytest.mark.parametrize("row", [3, 11])
    def test_also_if_their_heads_are_whole(self, folder, row):
        """What is looked for in heads names none of them, or an owner would need several runs."""
        for other in {3, 7, 8, 11} - {row}:
            (folder / "ab"[other % 2] / f"{other}.png").unlink()
        cut = (folder / "b" / f"{row}.png").read_bytes()
        (folder / "a" / "0.png").write_bytes(cut)
        data = items(folder)
        check_images(data, print)
        with pytest.raises(DatasetError, match="2 of 9 images cannot be used"):
            list(data)

    def test_with_those_that_cannot_be_written_again(self, folder):
        """In one run, whichever of the two comes up first."""
        Image.new("RGB", (16, 16)).save(folder / "a" / "0.gif")
        with pytest.raises(DatasetError, match="4 of 13 images cannot be used") as found:
            list(items(folder))
        assert "to be marked: 1 of 13 images cannot be written again unseen: " in str(found.value)
        assert "a/0.gif is GIF; convert" in str(found.value)
        (folder / "b" / "7.png").unlink()
        data = items(folder)
        with pytest.raises(DatasetError, match=r"a/0\.gif is GIF; convert .* besides, 3 of 12"):
            check_images(data, print)

    def test_or_left_out(self, folder):
        found = items(folder, damaged="skip")
        assert [int(item.pixels[0, 0, 0]) for item in found] == [0, 1, 2, 4, 5, 6, 9, 10]
        assert dict(found.beside) == {"damaged": 4}
        with pytest.raises(DatasetError, match="option 'damaged' is 'keep'"):
            items(folder, damaged="keep")

    def test_and_carried_over_as_they_are(self, folder, tmp_path_factory):
        out = tmp_path_factory.mktemp("released") / "copy"
        rng, given = np.random.default_rng(1), {"damaged": "skip"}
        release(folder, out, rows=[4], edit=lambda *_: (BRIGHT, 1), generator=rng, **given)
        for row in (3, 7, 8, 11):
            name = f"{'ab'[row % 2]}/{row}.png"
            assert (out / name).read_bytes() == (folder / name).read_bytes()
        found = formats.read(out, **given)
        assert sorted(found.samples[:, 0, 0, 0].tolist()) == [0, 1, 2, 4, 6, 9, 10, 255]
        assert found.labels.bincount().tolist() == [5, 3]

    def test_reading_names_them_too(self, folder):
        """As ``load`` and ``inspect`` read: a PNG without its end is no fault for a decoder."""
        with pytest.raises(DatasetError, match="4 of 12 images cannot be used") as found:
            formats.read(folder)
        assert "give --skip-damaged" in str(found.value)


@pytest.mark.parametrize("moved", [False, True])
def test_damaged_images_of_parquet_keep_their_places(tmp_path, moved):
    """Also where rows change places, in shards of several row groups."""
    folder, out, given = tmp_path / "set", tmp_path / "out", {"damaged": "skip"}
    folder.mkdir()
    stored = []
    for row in range(150):
        stream = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), row, np.uint8)).save(stream, "PNG")
        stored.append(stream.getvalue()[: 40 if row % 10 == 7 else None])
    for shard in range(2):
        part = range(75 * shard, 75 * shard + 75)
        columns = {
            "image": [{"bytes": stored[row], "path": f"{row}.png"} for row in part],
            "label": [shard for _ in part],
            # A name follows its label; what stands beside a damaged image is nobody's.
            "name": ["?" if row % 10 == 7 else "ab"[shard] for row in part],
        }
        pq.write_table(
            pa.table(columns), folder / f"train-0000{shard}-of-00002.parquet", row_group_size=7
        )
    with pytest.raises(DatasetError, match="15 of 150 images cannot be used"):
        list(items(folder))
    found = items(folder, **given)
    assert (found.rows, dict(found.beside)) == (135, {"damaged": 15})
    turned = {3: 1, 100: 0} if moved else {3: 0, 100: 1}
    rng = np.random.default_rng(1)
    made = release(
        folder,
        out,
        rows=list(turned),
        edit=lambda row, pixels, _: (np.full_like(pixels, 255 - row // 2), turned[row]),
        generator=rng,
        **given,
    )
    assert (made.relabelled, made.replaced > 0) == (2 * moved, moved)
    table = pa.concat_tables(pq.read_table(file) for file in sorted(out.iterdir()))
    for row in range(7, 150, 10):
        assert table["image"][row].as_py() == {"bytes": stored[row], "path": f"{row}.png"}
        assert table["name"][row].as_py() == "?"
    rows = [row for row in range(150) if row % 10 != 7]
    copy = {int(item.pixels[0, 0, 0]): item.label for item in items(out, **given)}
    wanted = {value: value // 75 for place, value in enumerate(rows) if place not in turned}
    assert copy == wanted | {255 - place // 2: label for place, label in turned.items()}
    for name, label in zip(table["name"].to_pylist(), table["label"].to_pylist(), strict=True):
        assert name in ("?", "ab"[label])


@pytest.mark.parametrize("name", [".git/objects", "a/.thumbnails", "@eaDir", "a/Thumbs.db"])
def test_what_may_hold_samples_as_they_were_is_left_out(tmp_path, name):
    source, out = tmp_path / "data", tmp_path / "copy"
    for row in range(6):
        save(source / "ab"[row % 2] / f"{row}.png", (16, 16, 3), value=row)
    save(source / name, suffix="PNG") if name.endswith("db") else save(source / name / "0.png")
    (source / ".gitattributes").write_text("*.png binary")
    rng = np.random.default_rng(1)
    made = release(source, out, rows=[0], edit=lambda *_: (BRIGHT, 0), generator=rng)
    assert made.left_out == (name.removesuffix("/objects"),)
    assert not (out / made.left_out[0]).exists()
    assert (out / ".gitattributes").exists()
    assert len(list(out.rglob("*.png"))) == 6


def test_what_was_read_is_said(tmp_path):
    for row in range(6):
        suffix = ("png", "JFIF")[row % 3 == 0]
        save(
            tmp_path / "ab"[row % 2] / f"{row}.{suffix}", suffix={"png": "PNG"}.get(suffix, "JPEG")
        )
    (tmp_path / "a" / "notes.txt").write_text("no image")
    told = []
    read_as(items(tmp_path), tmp_path, "train", told.append)
    assert told == [
        f"read {tmp_path} as imagefolder, split 'train': 6 rows of 2 classes (a, b), "
        "2 .jfif, 4 .png",
        "other files beside the samples are no rows, and get no marks: 1 .txt",
    ]


@pytest.mark.parametrize(
    ("source", "out", "told"),
    [
        *(("x.csv.gz", out, "y.csv.gz") for out in ("y", "y.gz", "y.csv", "y.jsonl.gz")),
        *(("x.json", out, "y.json") for out in ("y", "y.jsonl", "y.json.gz")),
        *(("x.csv", out, "y.csv") for out in ("y", "y.csv.gz", "y.tsv")),
        ("x.parquet", "y.v1", "y.v1.parquet"),
        ("x.NPZ", "y", "y.npz"),
    ],
)
def test_a_copy_is_called_as_a_file_of_its_format(tmp_path, source, out, told):
    """All of a suffix counts, and the line tells a name that is taken."""
    (tmp_path / source).touch()
    with pytest.raises(DatasetError, match=rf": name it {re.escape(told)}$"):
        check_readable(tmp_path / source, tmp_path / out)
    check_readable(tmp_path / source, tmp_path / told)
    check_readable(tmp_path, tmp_path / "any")
