import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datadeed.datasets.formats import parquet_audio, parquet_files
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import toy
from tests.datasets.formats.wav_toys import clips, noise, same, wav_bytes
from tests.datasets.formats.writers import write

FILES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def save(path, column="audio", label="label", *, features=None, labels=(0, 1, 0), files=None):
    """A Parquet file of three clips."""
    files = files or [wav_bytes(noise(n), rate=n * 100) for n in (80, 160, 441)]
    values = [{"bytes": data, "path": f"{row}_x.wav"} for row, data in enumerate(files)]
    table = pa.table({column: pa.array(values, FILES), label: list(labels), "who": ["a"] * 3})
    if features is not None:
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path)
    return path


def test_round_trip_keeps_sound_labels_classes_and_index(tmp_path):
    data = clips(7, 8000, index=[3, 5, 8, 13, 21, 34, 55])
    for path in (tmp_path / "one.parquet", tmp_path / "set"):
        write(data, path, format="parquet_audio")
        assert formats.detect(path) == "parquet_audio"
        assert same(formats.read(path), data)


def test_two_splits_live_in_one_place(tmp_path):
    train, test = clips(9, 8000, seed=1), clips(4, 8000, seed=2)
    write(train, tmp_path, format="parquet_audio", split="train")
    write(test, tmp_path, format="parquet_audio", split="test")
    assert same(formats.read(tmp_path, split="train"), train)
    assert same(formats.read(tmp_path, split="test"), test)
    with pytest.raises(DatasetError, match=r"train.*test|test.*train"):
        formats.read(tmp_path)


def test_clips_of_any_rate_become_one_form(tmp_path):
    blocks = formats.chunks(save(tmp_path / "x.parquet"), seconds=0.5, rate=4000, offset=0.001)
    data = formats.collect(blocks, "x")
    assert (data.form.shape, data.rate, data.classes) == ((2000,), 4000, ("0", "1"))
    assert data.labels.tolist() == [0, 1, 0]
    assert blocks.fit.padded == 3


def test_the_schema_tells_the_column_and_the_classes(tmp_path):
    features = {"speech": {"_type": "Audio"}, "digit": {"names": ["no", "yes"]}}
    path = save(tmp_path / "x.parquet", "speech", "digit", features=features)
    assert formats.detect(path) == "parquet_audio"
    assert formats.read(path).classes == ("no", "yes")
    assert not parquet_audio.matches(save(tmp_path / "y.parquet", "image"))


def test_other_parquet_is_not_taken(tmp_path):
    write(toy(), tmp_path / "image.parquet", format="huggingface")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 no PAR1")
    pq.write_table(pa.table({"audio": ["words"], "label": [0]}), tmp_path / "text.parquet")
    for name in ("image", "damaged", "text", "absent"):
        assert not parquet_audio.matches(tmp_path / f"{name}.parquet")
    assert formats.detect(tmp_path / "image.parquet") == "huggingface"


def test_one_file_at_a_time_is_in_memory(tmp_path, monkeypatch):
    data = clips(9, 8000)
    write(data, tmp_path / "x.parquet", format="parquet_audio")
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 1)
    assert same(formats.read(tmp_path / "x.parquet"), data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "kind"}, "columns audio, kind, who, none of them label, .* option 'label'"),
        ({"column": "sound"}, "a column of sound .* are needed"),
        ({"labels": (0, 1, None)}, "rows without a label"),
        ({"labels": (0, 1, -1)}, "labels from -1 to 1"),
        ({"labels": (0, 0, 0)}, "has 1 class"),
        ({"files": [None] * 3}, "row 0 has no sound: embed"),
        ({"files": [wav_bytes(noise(9)), b"OggS" + bytes(9), b""]}, "row 1 is Ogg, not WAV"),
        ({"files": [wav_bytes(noise(9)), b"fLaC" + bytes(9), b""]}, "row 1 is not a whole FLAC"),
        ({"files": [wav_bytes(noise(9))] * 2 + [b""]}, r"row 2 is not .* \(it is empty\)"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, options, words):
    path = save(tmp_path / "x.parquet", **options)
    with pytest.raises(DatasetError, match=words) as caught:
        formats.read(path, format="parquet_audio")
    assert "x.parquet" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_are_names_in_a_column_that_is_named(tmp_path):
    path = save(tmp_path / "x.parquet", label="kind", labels=("yes", "no", "yes"))
    data = formats.read(path, label="kind")
    assert (data.classes, data.labels.tolist()) == (("no", "yes"), [1, 0, 1])
