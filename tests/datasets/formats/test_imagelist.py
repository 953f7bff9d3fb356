"""Images in one folder, with a table that gives their labels: read, and written again."""

import json

import numpy as np
import pytest

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.thieves.metadata.listing import read_listing
from tests.datasets.formats.text_toys import write_csv, write_jsonl
from tests.datasets.formats.writers import encode_png
from tests.owner.release.release_toys import invert, run, snapshot

CLASSES = ("ant", "bee", "cat")


def photos(
    folder, rows=9, *, first=0, table="metadata.csv", inner="", columns=("file_name", "label")
):
    """Numbered images, whose classes go round, and a table."""
    (folder / inner).mkdir(parents=True, exist_ok=True)
    listed = []
    for row in range(first, first + rows):
        name = f"{inner}{row:03}.png"
        pixels = np.random.default_rng(row).integers(0, 256, (8, 8, 3), np.uint8)
        (folder / name).write_bytes(encode_png(pixels))
        listed.append((name, CLASSES[row % 3]))
    if table.endswith(".csv"):
        write_csv(folder / table, listed, head=columns)
    else:
        objects = [dict(zip(columns, one, strict=True)) for one in listed]
        write_jsonl(folder / table, objects)
        if table.endswith(".json"):
            (folder / table).write_text(json.dumps(objects, indent=1))
    return folder


@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl", "labels.csv", "x.json"])
@pytest.mark.parametrize("inner", ["", "images/"])
def test_a_table_gives_the_labels(tmp_path, table, inner):
    path = photos(tmp_path / "set", table=table, inner=inner)
    assert formats.detect(path) == "imagelist"
    data = formats.read(path)
    assert (data.classes, data.labels.tolist()) == (CLASSES, [0, 1, 2] * 3)
    first = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert np.array_equal(data.samples[0].permute(1, 2, 0).numpy(), first)


def test_folders_of_splits_share_their_classes(tmp_path):
    photos(tmp_path / "train", rows=2)
    photos(tmp_path / "test", rows=1, first=2)
    data = formats.read(tmp_path, split="train")
    assert (data.classes, data.labels.tolist()) == (CLASSES, [0, 1])
    assert formats.read(tmp_path, split="test").labels.tolist() == [2]


def test_columns_of_other_names_are_named_by_options(tmp_path):
    path = photos(tmp_path / "set", columns=("image", "kind"))
    with pytest.raises(DatasetError, match=r"metadata\.csv has no label column .* 'image', 'kind'"):
        formats.read(path)
    assert formats.read(path, label="kind").classes == CLASSES
    assert formats.read(path, file="image", label="kind").labels.tolist() == [0, 1, 2] * 3


def test_class_folders_with_a_list_stay_class_folders(tmp_path):
    for name in CLASSES:
        photos(tmp_path / name)
        (tmp_path / name / "metadata.csv").unlink()
    write_csv(tmp_path / "list.csv", [("ant/000.png", "x")], head=("file_name", "label"))
    assert formats.detect(tmp_path) == "imagefolder"


def test_texts_beside_a_picture_stay_texts(tmp_path):
    photos(tmp_path, rows=1)
    (tmp_path / "metadata.csv").unlink()
    write_jsonl(
        tmp_path / "train.jsonl", [{"text": "an image, a file", "label": n} for n in (0, 1)]
    )
    assert formats.detect(tmp_path) == "jsonl"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [("009.png", "ant")],
            "names 1 images that are not beside it, first '009.png': correct it",
        ),
        ([("../set/000.png", "ant")], "names 1 images that are not beside it"),
        ([("000.png", "ant"), ("000.png", "bee")], "names '000.png' twice"),
        ([("000.png", "ant"), ("001.png", "bee")], "1 images that metadata.csv does not name, "),
        ([("000.png", ""), ("001.png", "bee")], "line 2 has no label"),
    ],
)
def test_a_table_that_does_not_fit_its_images_is_refused(tmp_path, rows, words):
    path = photos(tmp_path / "set", rows=3)
    write_csv(path / "metadata.csv", rows, head=("file_name", "label"))
    with pytest.raises(DatasetError, match=words) as caught:
        formats.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl"])
def test_a_release_keeps_the_table_and_changes_labels_in_it(tmp_path, table):
    path, out = photos(tmp_path / "set", rows=12, table=table), tmp_path / "out"
    still = run(path, out, rows=(1, 4), edit=lambda *row: (255 - row[1], row[2]), split=None)
    old, new = snapshot(path), snapshot(out)
    assert {name for name in old if old[name] != new[name]} == {"001.png", "004.png"}
    assert (still.edited, still.renamed) == (2, 0)

    out = tmp_path / "moved"
    run(path, out, rows=(1, 4), edit=invert, split=None)
    before, after = formats.read(path), formats.read(out)
    wanted = {
        (bytes(255 - image if row in (1, 4) else image), (label + (row in (1, 4))) % 3)
        for row, (image, label) in enumerate(
            zip(before.samples.numpy(), before.labels.tolist(), strict=True)
        )
    }
    pairs = zip(after.samples.numpy(), after.labels.tolist(), strict=True)
    assert {(bytes(image), label) for image, label in pairs} == wanted
    listing = read_listing(out)
    assert len(listing.names) == len(listing.files) == 12
