import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.release.edits import Manner
from datadeed.owner.release.items import items
from tests.owner.release.release_toys import invert, run

CLASSES = ["cat", "dog", "frog"]


def picture(seed, form="JPEG"):
    stream = io.BytesIO()
    size = (8 + 8 * (seed % 2), 8, 3)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, np.uint8)).save(stream, form)
    return stream.getvalue()


def table(first, n, form="JPEG"):
    rows = range(first, first + n)
    image = pa.array(
        [{"bytes": picture(row, form), "path": f"{CLASSES[row % 3]}_{row}.jpg"} for row in rows],
        pa.struct([("bytes", pa.large_binary()), ("path", pa.string()), ("note", pa.int8())]),
    )
    columns = {
        "id": pa.array([f"id{row}" for row in rows]),
        "img": image,
        "coarse": pa.array([("pet", "pet", "wild")[row % 3] for row in rows]).dictionary_encode(),
        "label": pa.array([row % 3 for row in rows], pa.int8()),
        "name": pa.array([CLASSES[row % 3] for row in rows]),
        "box": pa.array([[row, 1.5] for row in rows]),
        "weight": pa.array([row / 7 if row % 5 else None for row in rows]),
    }
    return pa.table(columns).replace_schema_metadata({"huggingface": "{}", "owner": "us"})


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    options = {"compression": {"img.bytes": "NONE", "label": "SNAPPY"}, "use_dictionary": ["name"]}
    for shard, (first, n) in enumerate([(0, 20), (20, 13)]):
        with pq.ParquetWriter(
            folder / f"train-{shard:05d}-of-00002.parquet",
            table(0, 3).schema,
            version="2.4",
            **options,
        ) as writer:
            writer.write_table(table(first, n), row_group_size=7)
    pq.write_table(table(90, 4), folder / "test-00000-of-00001.parquet")
    return tmp_path / "set"


def next_class(row, pixels, label):
    return pixels, (label + 1) % 3


def shards(path):
    return sorted(path.glob("data/train*"))


def test_schema_groups_and_columns_are_kept(source, tmp_path):
    run(source, tmp_path / "out", rows=(0, 25))
    for old, new in zip(shards(source), shards(tmp_path / "out"), strict=True):
        before, after = pq.ParquetFile(old), pq.ParquetFile(new)
        assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
        one, two = before.metadata, after.metadata
        assert (one.num_row_groups, one.format_version) == (two.num_row_groups, two.format_version)
        for group in range(one.num_row_groups):
            assert one.row_group(group).num_rows == two.row_group(group).num_rows
            for column in range(one.num_columns):
                a, b = one.row_group(group).column(column), two.row_group(group).column(column)
                assert (a.path_in_schema, a.compression) == (b.path_in_schema, b.compression)
                assert a.encodings == b.encodings
                assert a.has_dictionary_page == b.has_dictionary_page
    test = "data/test-00000-of-00001.parquet"
    assert (tmp_path / "out" / test).read_bytes() == (source / test).read_bytes()


def test_only_edited_rows_change_and_what_follows_from_the_label(source, tmp_path):
    (source / "images.txt").write_text("dog_1.jpg")  # so that names stay where they can
    result = run(source, tmp_path / "out", rows=(4, 24), edit=next_class)
    old, new = (
        pa.concat_tables([pq.read_table(file) for file in shards(path)]).to_pylist()
        for path in (source, tmp_path / "out")
    )
    for one in (*old, *new):
        one["path"] = one["img"].pop("path")
    renamed = [row for row in range(33) if old[row].pop("path") != new[row].get("path")]
    assert {4, 24} <= set(renamed)
    assert (result.relabelled, result.renamed) == (2, len(renamed))
    paths = [one.pop("path") for one in new]
    assert len(set(paths)) == 33
    assert all(path.startswith(one["name"]) for path, one in zip(paths, new, strict=True))
    assert [row for row in range(33) if old[row] != new[row]] == [4, 24]
    changed = new[4]
    assert changed["label"] == 2
    assert (changed["name"], changed["coarse"]) == ("frog", "wild")
    for key in ("id", "box", "weight"):
        assert changed[key] == old[4][key]
    assert changed["img"]["bytes"] == old[4]["img"]["bytes"]
    assert new[24]["coarse"] == "pet"


def test_images_of_many_sizes_and_pixels(source, tmp_path):
    run(source, tmp_path / "out", rows=(4, 24), edit=lambda _, p, y: (p // 2, y))
    old, new = list(items(source, split="train")), list(items(tmp_path / "out", split="train"))
    assert {item.pixels.shape for item in old} == {(8, 8, 3), (16, 8, 3)}
    for one, two in zip(old, new, strict=True):
        if one.row in (4, 24):
            assert np.abs(two.pixels.astype(int) - one.pixels // 2).mean() < 20
        else:
            assert one.pixels.shape == two.pixels.shape  # noise suffers when it is encoded again


def test_unmarked_jpegs_keep_their_bytes_if_the_owner_wants_that(source, tmp_path):
    stay = {"manner": Manner(jpegs=False)}
    run(source, tmp_path / "out", rows=(4, 24), edit=lambda _, p, y: (p // 2, y), **stay)
    old, new = (
        pa.concat_tables([pq.read_table(file) for file in shards(path)])["img"].to_pylist()
        for path in (source, tmp_path / "out")
    )
    assert [row for row in range(33) if old[row] != new[row]] == [4, 24]


def test_one_file_and_pngs_of_another_encoder(tmp_path):
    path = tmp_path / "one.parquet"
    images = [Image.new("RGB", (8, 8), (row, 5, 9)) for row in range(9)]
    streams = [io.BytesIO() for _ in images]
    for image, stream in zip(images, streams, strict=True):
        image.save(stream, "PNG", compress_level=0)
    column = pa.array([{"bytes": stream.getvalue(), "path": None} for stream in streams])
    column = column.cast(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": column, "label": [0, 1, 2] * 3}), path)
    ready = []
    result = run(path, tmp_path / "out.parquet", split=None, rows=(4,), on_rows=ready.append)
    assert result.recoded == 8
    assert ready == list(range(1, 10))
    old, new = formats.read(path), formats.read(tmp_path / "out.parquet")
    assert (new.samples[4] == 255 - old.samples[4]).all()
    assert new.labels.tolist() == [0, 1, 2, 0, 2, 2, 0, 1, 2]
    keep = [row for row in range(9) if row != 4]
    assert (new.samples[keep] == old.samples[keep]).all()


def test_a_folder_for_each_split_of_a_configuration_stays_so(tmp_path):
    root = tmp_path / "set" / "default"
    for name, first in {"train/0000": 0, "train/0001": 12, "test/0000": 90}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(first, 12), root / f"{name}.parquet")
    out = tmp_path / "out"
    run(tmp_path / "set", out, rows=(1, 20), edit=next_class)
    old, new = (formats.read(one, split="train", size=8) for one in (tmp_path / "set", out))
    counts = [one.labels.bincount().tolist() for one in (old, new)]
    assert counts == [[8, 8, 8], [9, 7, 8]]  # rows 1 and 20 were of classes 1 and 2
    unmarked = "default/test/0000.parquet"
    assert (out / unmarked).read_bytes() == (tmp_path / "set" / unmarked).read_bytes()


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_labels_that_are_names_stay_names(tmp_path, kind):
    images = [picture(2 * row, "PNG") for row in range(9)]
    columns = {
        "scan": pa.array(images, pa.large_binary()),
        "kind": pa.array([CLASSES[row % 3] for row in range(9)]).cast(kind),
    }
    path, out = tmp_path / "x.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table(columns), path)
    options = {"format": "huggingface", "image": "scan", "label": "kind"}
    still = Manner(reorder=False)
    run(path, out, rows=(1, 4), edit=invert, split=None, manner=still, **options)
    old, new = pq.read_table(path), pq.read_table(out)
    assert new.schema == old.schema
    assert new["kind"].to_pylist() == [
        "frog" if row in (1, 4) else CLASSES[row % 3] for row in range(9)
    ]
    shown = formats.read(out, **options)
    assert [int(one) for one in shown.labels] == [0, 2, 2, 0, 2, 2, 0, 1, 2]
    before = formats.read(path, **options).samples
    changed = (shown.samples != before).flatten(1).any(1).nonzero().flatten().tolist()
    assert changed == [1, 4]


def test_a_name_that_no_row_has_cannot_be_written(tmp_path):
    for name, labels in (("train", ["cat", "dog"] * 3), ("test", ["frog"])):
        images = pa.array([picture(0, "PNG")] * len(labels))
        pq.write_table(pa.table({"image": images, "label": labels}), tmp_path / f"{name}.parquet")
    with pytest.raises(DatasetError, match="to become 'frog', of which no row shows how"):
        run(tmp_path, tmp_path.with_name("out"), rows=(1,), edit=next_class)
