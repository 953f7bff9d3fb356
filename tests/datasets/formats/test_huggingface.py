import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datadeed.datasets.form.parquet import write_dataset
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import toy
from tests.datasets.formats.writers import write


def png(value, shape=(4, 4, 3)) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def publish(path, images, labels, *, image="image", label="label", names=None, paths=None):
    """A file as datasets hubs publish them."""
    paths = paths or [None] * len(images)
    column = pa.array(
        [{"bytes": data, "path": name} for data, name in zip(images, paths, strict=True)],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    table = pa.table({image: column, label: pa.array(labels), "extra": pa.array(labels)})
    if names:
        info = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def test_shards_are_read_in_order_with_rows_numbered_across_them(tmp_path):
    for shard in range(3):
        images = [png(10 * shard + row) for row in range(2)]
        name = f"train-0000{shard}-of-00003.parquet"
        publish(tmp_path / "data" / name, images, [0, 1], names=["no", "yes"])
    publish(tmp_path / "data" / "test-00000-of-00001.parquet", [png(99)], [1], names=["no", "yes"])
    data = formats.read(tmp_path, split="train")
    assert data.samples[:, 0, 0, 0].tolist() == [0, 1, 10, 11, 20, 21]
    assert data.index.tolist() == list(range(6))
    assert data.classes == ("no", "yes")


def shard(number: int, columns: dict, kinds: dict | None = None, names=("a", "b")) -> pa.Table:
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    arrays = {name: pa.array(values, (kinds or {}).get(name)) for name, values in columns.items()}
    return pa.table(arrays).replace_schema_metadata({"huggingface": json.dumps(info)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": "label"}, r"other columns \(image, note, not image, label, note\)"),
        ({"drop": "image"}, r"other columns \(label, note, not"),
        ({"drop": "note"}, r"other columns \(image, label, not"),
        ({"add": "x"}, r"other columns \(image, label, note, x, not"),
        ({"kinds": {"label": pa.string()}}, r"type of column 'label' \(string, not int64\)"),
        ({"kinds": {"image": pa.large_binary()}}, r"'image' \(large_binary, not binary\)"),
        ({"kinds": {"note": pa.int32()}}, r"'note' \(int32, not int64\)"),
        ({"names": ("b", "a")}, r"other class names of 'label'"),
    ],
)
@pytest.mark.parametrize("text", [False, True])
def test_a_shard_with_another_schema_is_refused_before_reading(tmp_path, change, message, text):
    """Of images and of texts; the line names both shards."""
    first = {"image": ["x y", "z"] if text else [png(1), png(2)], "label": [0, 1], "note": [5, 6]}
    other = {name: list(values) for name, values in first.items() if name != change.get("drop")}
    other |= {change["add"]: [1, 2]} if "add" in change else {}
    kinds = dict(change.get("kinds", {}))
    if kinds.get("label") == pa.string():
        other["label"] = ["0", "1"]
    if text:
        first["text"] = first.pop("image")
        if "image" in other:
            other["text"] = other.pop("image")
        kinds = {"text" if name == "image" else name: kind for name, kind in kinds.items()}
        kinds |= {"text": pa.large_string()} if "text" in kinds else {}
    files = [tmp_path / f"train-0000{number}-of-00002.parquet" for number in range(2)]
    pq.write_table(shard(0, first), files[0])
    pq.write_table(shard(1, other, kinds, change.get("names", ("a", "b"))), files[1])
    with pytest.raises(DatasetError) as caught:
        formats.read(tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{files[1]} has other ") or f"{files[1]} has another type" in line
    assert f" than {files[0]}: write all shards" in line
    if not text:
        assert re.search(message, line), line
    pq.write_table(shard(1, first), files[1])
    assert len(formats.read(tmp_path).labels) == 4


def test_other_column_names_and_no_class_names(tmp_path):
    file = tmp_path / "train.parquet"
    publish(file, [png(1), png(2)], [0, 2], image="img", label="fine_label")
    data = formats.read(file)
    assert data.classes == ("0", "1", "2")
    assert data.labels.tolist() == [0, 2]


def test_mixed_grey_and_colour_become_colour(tmp_path):
    publish(tmp_path / "train.parquet", [png(3, (4, 4)), png(4)], [0, 1])
    data = formats.read(tmp_path)
    assert data.samples[:, :, 0, 0].tolist() == [[3, 3, 3], [4, 4, 4]]


def test_mixed_sizes_name_the_row(tmp_path):
    publish(tmp_path / "train.parquet", [png(3), png(4, (8, 6, 3))], [0, 1])
    with pytest.raises(DatasetError, match=r"train\.parquet row 1 is 6 x 8 .*'size'"):
        formats.read(tmp_path)
    assert formats.read(tmp_path, size=4).shape == (3, 4, 4)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_files_are_one_line(tmp_path, damage):
    file = tmp_path / "train-00000-of-00001.parquet"
    write(toy(40, (3, 16, 16)), tmp_path, format="huggingface")
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    file.write_bytes({"truncated": data[:-200], "flipped": data, "empty": b""}[damage])
    with pytest.raises(DatasetError, match=r"train-00000-of-00001\.parquet") as caught:
        formats.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_other_parquet_is_refused_by_what_it_lacks(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "label": [0]}), tmp_path / "train.parquet")
    with pytest.raises(DatasetError, match="columns text, label"):
        formats.read(tmp_path, format="huggingface")
    write_dataset(toy(), tmp_path / "train.parquet")
    with pytest.raises(DatasetError, match="not struct<bytes, path>"):
        formats.read(tmp_path)


def test_rows_without_bytes_or_label_are_refused(tmp_path):
    publish(tmp_path / "train.parquet", [png(1), None], [0, 1])
    with pytest.raises(DatasetError, match="row 1 has no image bytes"):
        formats.read(tmp_path)
    publish(tmp_path / "train.parquet", [png(1), png(2)], [0, None])
    with pytest.raises(DatasetError, match="without a label"):
        formats.read(tmp_path)
    publish(tmp_path / "train.parquet", [png(1), png(2)], [0.5, 1.0])
    with pytest.raises(DatasetError, match="row 0 has an unusable label: give each row a name or"):
        formats.read(tmp_path)


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (["dog", "cat", "dog"], ("cat", "dog"), [1, 0, 1]),
        (pa.array(["dog", "cat", "dog"]).dictionary_encode(), ("cat", "dog"), [1, 0, 1]),
        ([True, False, True], ("false", "true"), [1, 0, 1]),
        (["10", "9", "10"], ("9", "10"), [1, 0, 1]),
        (pa.array([1, 0, 1], pa.uint8()), ("0", "1"), [1, 0, 1]),
    ],
)
def test_labels_are_numbers_or_names(tmp_path, labels, classes, numbers):
    publish(tmp_path / "train.parquet", [png(row) for row in range(3)], labels)
    data = formats.read(tmp_path)
    assert (data.classes, data.labels.tolist()) == (classes, numbers)


def test_named_classes_are_those_of_all_splits(tmp_path):
    publish(tmp_path / "train.parquet", [png(1), png(2)], ["dog", "cat"])
    publish(tmp_path / "test.parquet", [png(3)], ["bee"])
    pq.write_table(pa.table({"image": [b"kept back"]}), tmp_path / "validation.parquet")
    data = formats.read(tmp_path, split="train")
    assert (data.classes, data.labels.tolist()) == (("bee", "cat", "dog"), [2, 1])


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_images_may_be_plain_bytes_beside_names(tmp_path, kind):
    columns = {"jpg": pa.array([png(1), png(2)], kind), "Class": ["a", "b"]}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert formats.detect(tmp_path / "x.parquet") == "huggingface"
    data = formats.read(tmp_path / "x.parquet")
    assert data.samples[:, 0, 0, 0].tolist() == [1, 2]
    assert data.classes == ("a", "b")


def test_columns_of_other_names_are_listed_and_named_by_options(tmp_path):
    file = tmp_path / "x.parquet"
    publish(file, [png(1), png(2)], ["a", "b"], image="scan", label="kind")
    with pytest.raises(DatasetError, match=r"columns scan, kind, extra, none of .* option 'image'"):
        formats.read(file)
    with pytest.raises(DatasetError, match=r"columns scan, kind, extra, none of .* option 'label'"):
        formats.read(file, image="scan")
    with pytest.raises(DatasetError, match="columns scan, kind, extra, none of them 'sort'"):
        formats.read(file, image="scan", label="sort")
    with pytest.raises(DatasetError, match="'kind' of type string, not struct<bytes, path> or"):
        formats.read(file, image="kind", label="extra")
    data = formats.read(file, image="scan", label="kind")
    assert data.samples[:, 0, 0, 0].tolist() == [1, 2]
    assert data.classes == ("a", "b")
