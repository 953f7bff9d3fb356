import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import parquet_audio, wav
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.release.items import items
from datadeed.owner.release.release import release
from tests.datasets.formats.wav_toys import (
    KINDS,
    chunk,
    clips,
    flac_bytes,
    flac_part,
    layout,
    noise,
    sounds,
    wav_bytes,
)
from tests.datasets.formats.writers import write
from tests.owner.release.release_toys import age, run, snapshot

FILES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def flip(row, samples, label):
    """The sound backwards, which is in range for every width."""
    return samples[::-1].copy(), label


def next_class(row, samples, label):
    return samples, (label + 1) % 2


def folder(path, count=6):
    """Two classes of clips of many kinds, with names that tell the class."""
    for name in ("cat", "dog"):
        (path / "train" / name).mkdir(parents=True)
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            data = wav_bytes(noise(30 + number, 1 + number % 2, kind, number), kind, 11025)
            (path / "train" / name / f"{name}_{number}.wav").write_bytes(data)
    age(path)
    return path


def parquet(path, files):
    """One shard of files and more columns."""
    values = [
        {"bytes": data, "path": f"{'ab'[row % 2]}_{row}.wav"} for row, data in enumerate(files)
    ]
    labels = [row % 2 for row in range(len(files))]
    table = pa.table(
        {
            "audio": pa.array(values, FILES),
            "label": labels,
            "name": ["ab"[label] for label in labels],
            "take": [row / 7 for row in range(len(files))],
        }
    )
    pq.write_table(table.replace_schema_metadata({"owner": "us"}), path, row_group_size=3)
    age(path)
    return path


def test_items_are_sounds_as_they_are_stored(tmp_path):
    found = items(folder(tmp_path / "set"), split="train")
    assert (found.format, found.modality, found.classes) == ("wavfolder", "audio", ("cat", "dog"))
    assert found.labels.tolist() == [0] * 6 + [1] * 6
    assert [form.kind for form in found.forms] == [*KINDS, *KINDS]
    for item in found:
        number = item.row % 6
        wanted = noise(30 + number, 1 + number % 2, KINDS[number], number)
        assert item.sample.dtype == wanted.dtype == found.forms[item.row].dtype
        assert np.array_equal(item.sample, wanted)


def test_only_the_sound_of_edited_files_changes(tmp_path):
    path, ready = folder(tmp_path / "set"), []
    result = run(path, tmp_path / "out", rows=(1, 5, 8), edit=flip, on_rows=ready.append)
    assert (result.edited, result.relabelled, result.recoded, result.max_difference) == (3, 0, 0, 0)
    assert ready == list(range(1, 13))
    old, new = snapshot(path), snapshot(tmp_path / "out")
    assert old.keys() == new.keys()
    changed = {name for name in old if old[name] != new[name]}
    assert changed == {f"train/{name}.wav" for name in ("cat/cat_1", "cat/cat_5", "dog/dog_2")}
    pairs = zip(items(path, split="train"), items(tmp_path / "out", split="train"), strict=True)
    for one, other in pairs:
        edited = one.row in (1, 5, 8)
        assert np.array_equal(other.sample, one.sample[::-1] if edited else one.sample)
    times = {file.stat().st_mtime for file in (tmp_path / "out").rglob("*.wav")}
    assert times == {max(file.stat().st_mtime for file in path.rglob("*.wav"))}


def test_a_long_file_is_in_memory_twice_while_it_is_edited(tmp_path):
    path, size = folder(tmp_path / "set"), 2**22
    head = b"RIFF\0\0\0\0WAVE" + layout("<i2", 2, 8000)
    data = bytearray(head + chunk(b"data", bytes(size)))
    (path / "train/cat/cat_0.wav").write_bytes(data)

    def edit(row, samples, label):
        samples[5] = 9
        return samples, label

    tracemalloc.start()
    run(path, tmp_path / "out", rows=(0,), edit=edit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2 * size < peak < 2.5 * size
    data[64:68] = b"\x09\0\x09\0"
    assert (tmp_path / "out/train/cat/cat_0.wav").read_bytes() == data


def test_every_flac_is_encoded_again_so_that_edited_ones_do_not_stand_out(tmp_path):
    path, title = tmp_path / "set", flac_part(2, b"ourstitles")
    for name in ("cat", "dog"):
        (path / "train" / name).mkdir(parents=True)
        for number in range(3):
            frames = noise(300 + number, 2, "<i3", number)
            data = flac_bytes(frames, "<i3", before=title)
            other = data[:42] + flac_part(3, bytes(18)) + data[42:]  # by another encoder
            (path / "train" / name / f"{number}.flac").write_bytes(other)
        (path / "train" / name / "9.wav").write_bytes(wav_bytes(noise(30)))
    result = run(path, tmp_path / "out", rows=(1, 7), edit=flip)
    assert (result.edited, result.recoded, result.max_difference) == (2, 5, 0)
    old, new = snapshot(path), snapshot(tmp_path / "out")
    assert new["train/cat/9.wav"] == old["train/cat/9.wav"]
    pairs = zip(items(path, split="train"), items(tmp_path / "out", split="train"), strict=True)
    for one, other in pairs:
        assert np.array_equal(other.sample, one.sample[::-1] if one.row in (1, 7) else one.sample)
    packed = [data for name, data in new.items() if name.endswith(".flac")]
    heads = {data[42 : data.index(b"titles") + 6] for data in packed}
    assert heads == {title}
    again = run(tmp_path / "out", tmp_path / "again", rows=(0,), edit=flip)
    assert again.recoded == 0
    assert run(path, tmp_path / "wav", rows=(3,), edit=flip).recoded == 0


def test_a_header_whose_sizes_were_left_open_stays(tmp_path):
    data = bytearray(wav_bytes(noise(30)))
    data[4:8], data[40:44] = b"\xff" * 4, bytes(4)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x.wav").write_bytes(data)
    run(tmp_path / "set", tmp_path / "out", rows=(1,), edit=flip, split=None)
    new = (tmp_path / "out" / "dog" / "x.wav").read_bytes()
    assert new[:44] == data[:44]
    assert np.array_equal(wav.read_frames("x", new, wav.read_form("x", new)), noise(30)[::-1])


def test_a_flac_that_cannot_hold_an_edit_is_refused(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x.flac").write_bytes(flac_bytes(noise(30, 1, "u1"), "u1"))
    options = {"split": None, "edit": lambda _, x, y: (x * 0 + 128, y)}
    with pytest.raises(DatasetError, match=r"x\.flac stores 8 bits, but got values"):
        run(tmp_path / "set", tmp_path / "no", rows=(1,), **options)


@given(sounds(), st.integers(0, 60), st.booleans())
@settings(max_examples=40)
def test_headers_other_parts_and_other_samples_stay(tmp_path_factory, sound, at, extreme):
    data, frames, *_ = sound
    path = tmp_path_factory.mktemp("release")
    for name in ("a", "b"):
        (path / "set" / name).mkdir(parents=True)
        (path / "set" / name / "x.wav").write_bytes(data)
    form = wav.read_form("x", data)
    at %= len(frames)

    def edit(row, samples, label):
        samples[at] = -form.full_scale if extreme else 0
        return samples, label

    run(path / "set", path / "out", rows=(1,), edit=edit, split=None)
    assert (path / "out" / "a" / "x.wav").read_bytes() == data
    new = (path / "out" / "b" / "x.wav").read_bytes()
    first = form.start + at * form.frame_bytes
    after = first + form.frame_bytes
    assert (new[:first], new[after:]) == (data[:first], data[after:])
    frames[at] = -form.full_scale if extreme else 0
    assert np.array_equal(wav.read_frames("x", new, form), frames)


def test_a_moved_clip_takes_a_name_of_its_new_class(tmp_path):
    path = folder(tmp_path / "set")
    result = run(path, tmp_path / "out", rows=(2,), edit=next_class)
    assert (result.edited, result.relabelled) == (1, 1)
    old, new = snapshot(path), snapshot(tmp_path / "out")
    assert set(old) - set(new) == {"train/cat/cat_5.wav"}
    assert set(new) - set(old) == {"train/dog/dog_6.wav"}
    dogs = [data for name, data in new.items() if "/dog/" in name]
    assert old["train/cat/cat_2.wav"] in dogs
    assert sorted(new.values()) == sorted(old.values())


def test_classes_in_names_stay(tmp_path):
    for name in ("0_ann_0", "0_ann_1", "1_ann_0", "1_ann_1"):
        (tmp_path / "set" / "01").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "01" / f"{name}.wav").write_bytes(wav_bytes(noise(9)))
    (tmp_path / "set" / "meta.txt").write_text("about speakers")
    options = {"split": None, "classes": "name"}
    assert items(tmp_path / "set", **options).labels.tolist() == [0, 0, 1, 1]
    run(tmp_path / "set", tmp_path / "out", rows=(2,), edit=flip, **options)
    old, new = snapshot(tmp_path / "set"), snapshot(tmp_path / "out")
    assert {name for name in old if old[name] != new[name]} == {"01/1_ann_0.wav"}
    with pytest.raises(DatasetError, match="has labels in its files' names"):
        run(tmp_path / "set", tmp_path / "no", rows=(2,), edit=next_class, **options)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda samples: samples[1:], "row 3 did not return"),
        (lambda samples: samples.astype(np.float32), "row 3 did not return int32 samples"),
        (lambda samples: samples * 0 + 2**23, "dog_1.wav stores 24 bits, but got values"),
    ],
)
def test_a_wrong_edit_leaves_nothing(tmp_path, answer, words):
    path = tmp_path / "set"
    for name in ("cat", "dog"):
        (path / "train" / name).mkdir(parents=True)
        for number in range(2):
            data = wav_bytes(noise(30, 1, "<i3"), "<i3")
            (path / "train" / name / f"{name}_{number}.wav").write_bytes(data)
    with pytest.raises(DatasetError, match=words):
        run(path, tmp_path / "out", rows=(3,), edit=lambda _, x, y: (answer(x), y))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["set"]


def test_parquet_keeps_all_but_the_edited_sound(tmp_path):
    files = [wav_bytes(noise(20 + n, 1 + n % 2, KINDS[n % 6]), KINDS[n % 6]) for n in range(8)]
    path, ready = parquet(tmp_path / "x.parquet", files), []
    options = {"split": None, "on_rows": ready.append}
    result = run(path, tmp_path / "y.parquet", rows=(2, 7), edit=flip, **options)
    assert (result.edited, result.recoded) == (2, 0)
    assert ready == list(range(1, 9))
    old, new = pq.ParquetFile(path), pq.ParquetFile(tmp_path / "y.parquet")
    assert new.schema_arrow.equals(old.schema_arrow, check_metadata=True)
    assert new.metadata.num_row_groups == old.metadata.num_row_groups == 3
    assert (tmp_path / "y.parquet").stat().st_mtime == path.stat().st_mtime
    before, after = old.read().to_pylist(), new.read().to_pylist()
    assert [row for row in range(8) if before[row] != after[row]] == [2, 7]
    found = items(tmp_path / "y.parquet")
    assert (found.format, found.modality) == ("parquet_audio", "audio")
    for one, other in zip(items(path), found, strict=True):
        assert np.array_equal(other.sample, one.sample[::-1] if one.row in (2, 7) else one.sample)


def test_parquet_of_flac_keeps_its_sound(tmp_path):
    path = parquet(tmp_path / "x.parquet", [flac_bytes(noise(90, 1, "<i2", n)) for n in range(8)])
    options = {"split": None, "rows": (2, 7), "edit": flip}
    assert run(path, tmp_path / "y.parquet", **options).edited == 2
    for one, other in zip(items(path), items(tmp_path / "y.parquet"), strict=True):
        assert np.array_equal(other.sample, one.sample[::-1] if one.row in (2, 7) else one.sample)
    names = [one["audio"]["path"] for one in pq.read_table(tmp_path / "y.parquet").to_pylist()]
    assert len(set(names)) == 8


def test_parquet_follows_a_label_and_may_be_written_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("datadeed.owner.release.shards._PART_BYTES", 1)
    path = parquet(tmp_path / "x.parquet", [wav_bytes(noise(20))] * 8)
    result = run(path, tmp_path / "y.parquet", rows=(4,), edit=next_class, split=None)
    assert (result.edited, result.relabelled) == (1, 1)
    old, new = (pq.read_table(file).to_pylist() for file in (path, tmp_path / "y.parquet"))
    paths = [[one["audio"].pop("path") for one in rows] for rows in (old, new)]
    assert [row for row in range(8) if old[row] != new[row]] == [4]
    assert (new[4]["label"], new[4]["name"]) == (1, "b")
    assert all(path.startswith(one["name"]) for path, one in zip(paths[1], new, strict=True))
    assert len(set(paths[1])) == 8
    assert new[4]["audio"]["bytes"] == old[4]["audio"]["bytes"]
    assert new[4]["take"] == old[4]["take"]


@pytest.mark.parametrize("form", ["wavfolder", "parquet_audio"])
def test_what_is_released_reads_as_wanted(tmp_path, form):
    data = clips(9, 8000)
    write(data, tmp_path / "set", format=form, split="train")
    write(data.slice(0, 4), tmp_path / "set", format=form, split="test")
    (tmp_path / "set" / "README.md").write_text("terms")
    run(tmp_path / "set", tmp_path / "out", rows=(0, 8), edit=flip)
    new = formats.read(tmp_path / "out", split="train").samples
    keep = [row for row in range(9) if row not in (0, 8)]
    assert (new[keep] == data.samples[keep]).all()
    assert (new[[0, 8]] == data.samples[[0, 8]].flip(1)).all()
    old, new = snapshot(tmp_path / "set"), snapshot(tmp_path / "out")
    assert all(old[name] == new[name] for name in old if not name.startswith("train"))
    assert parquet_audio.matches(tmp_path / "out") == (form == "parquet_audio")


@pytest.mark.parametrize("kind", ["header", "sound"])
@pytest.mark.parametrize("form", ["wav", "flac"])
def test_all_damaged_sounds_are_named_in_one_line(tmp_path, kind, form):
    """In their headers or in what follows, of WAV as of FLAC."""
    whole = noise(4000)
    data = wav_bytes(whole) if form == "wav" else flac_bytes(whole)
    cut = data[: 20 if kind == "header" else len(data) // 2]
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            broken = number in (1, 3)
            (tmp_path / name / f"{number}.{form}").write_bytes(cut if broken else data)
    with pytest.raises(DatasetError, match=r"^4 of 8 sounds cannot be used: ") as found:
        list(items(tmp_path))
    text = str(found.value)
    assert all(text.count(f"{name}/{number}.") == 1 for name in ("cat", "dog") for number in (1, 3))
    assert "\n" not in text
    for number in (1, 3):
        (tmp_path / "dog" / f"{number}.{form}").write_bytes(data)
    (tmp_path / "cat" / f"3.{form}").write_bytes(data)
    with pytest.raises(DatasetError, match=rf"^[^ ]*cat/1\.{form} is ") as found:
        list(items(tmp_path))


def test_no_numbers_are_named_with_all_damaged_sounds(tmp_path):
    """A float WAV may hold NaN or infinity, also after what a model hears."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for number in range(4):
            sound = noise(12000, 1, "<f4")
            if number == 1:
                sound[-1] = (np.nan, np.inf)[label]
            data = wav_bytes(sound, "<f4")
            (tmp_path / name / f"{number}.wav").write_bytes(data[: 9 if number == 3 else None])
    with pytest.raises(DatasetError, match=r"^4 of 8 sounds cannot be used: ") as found:
        list(items(tmp_path))
    text = str(found.value)
    assert all(f"{name}/1.wav holds values that are no numbers" in text for name in ("cat", "dog"))
    assert text.endswith(
        "; or give --skip-damaged (option 'damaged=skip'): they are no rows then, "
        "and a marked copy holds them as they are"
    )
    with pytest.raises(DatasetError, match=r"^4 of 8 sounds cannot be used: "):
        formats.read(tmp_path)
    (tmp_path / "cat" / "4.mp3").write_bytes(b"ID3")
    with pytest.raises(DatasetError, match=r"4\.mp3: convert .* besides, 4 of 8 sounds cannot"):
        items(tmp_path)


@pytest.mark.parametrize("form", ["wavfolder", "by name", "parquet_audio"])
def test_damaged_sounds_are_carried_over(tmp_path, form):
    """They are no rows, and the copy holds them as they are at the places where they were."""
    files = {f"{'ab'[n % 2]}_x_{n}.wav": wav_bytes(noise(400 + n)) for n in range(8)}
    cut = {name: data[: 30 if name[0] == "a" else -40] for name, data in list(files.items())[2:4]}
    source, out = tmp_path / "set", tmp_path / "out"
    if form == "parquet_audio":
        source.mkdir()
        sounds = [{"bytes": data, "path": name} for name, data in (files | cut).items()]
        table = pa.table({"audio": sounds, "label": [n % 2 for n in range(8)]})
        pq.write_table(table, source / "train.parquet", row_group_size=3)
    for name, data in (files | cut).items() if form != "parquet_audio" else ():
        folder = source / (name[0] if form == "wavfolder" else ".")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    given = {"damaged": "skip"}
    found = items(source, **given)
    assert (found.rows, dict(found.beside)) == (6, {"damaged": 2})
    assert len(formats.read(source, **given)) == 6
    rng = np.random.default_rng(1)
    release(source, out, rows=range(6), edit=lambda _, x, y: (-x, y), generator=rng, **given)
    again = list(items(out, **given))
    for old, new in zip(found, again, strict=True):
        assert (new.label, np.array_equal(new.sample, -old.sample)) == (old.label, True)
    if form == "parquet_audio":
        stored = [one["bytes"] for one in pq.read_table(out)["audio"].to_pylist()]
        assert stored[2:4] == list(cut.values())
        assert [len(data) for data in stored] == [len(data) for data in (files | cut).values()]
    else:
        for name, data in cut.items():
            assert next(out.rglob(name)).read_bytes() == data
