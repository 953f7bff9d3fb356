import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats import wavfolder
from datadeed.errors import DatasetError, ParameterError
from tests.datasets.formats.wav_toys import clips, flac_bytes, noise, same, wav_bytes
from tests.datasets.formats.writers import write

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


def save(path, count=20, channels=1, seed=0, **options):
    """A file of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_bytes(noise(count, channels, seed=seed), **options))


def read(path, **options):
    return formats.read(path, format="wavfolder", **options)


@given(
    st.lists(NAMES, min_size=2, max_size=4, unique=True),
    st.lists(st.integers(0, 10**9), min_size=4, max_size=9, unique=True).map(sorted),
    st.integers(1, 50),
)
@settings(max_examples=15)
def test_round_trip_keeps_sound_labels_classes_and_index(classes, index, length):
    data = clips(len(index), length, classes, index=index)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set"
        write(data, path, format="wavfolder")
        assert formats.detect(path) == "wavfolder"
        assert same(formats.read(path, seconds=length / 8000), data)


def test_two_splits_live_in_one_place(tmp_path):
    train, test = clips(9, 8000, seed=1), clips(4, 8000, seed=2)
    write(train, tmp_path, format="wavfolder", split="train")
    write(test, tmp_path, format="wavfolder", split="test")
    assert same(formats.read(tmp_path, split="train"), train)
    assert same(formats.read(tmp_path, split="test"), test)
    with pytest.raises(DatasetError, match=r"train.*test|test.*train"):
        formats.read(tmp_path)


def test_clips_of_any_length_rate_and_channels_become_one_form(tmp_path):
    save(tmp_path / "a" / "short.wav", 10)
    save(tmp_path / "a" / "deep" / "stereo.WAV", 90, 2, rate=44100)
    save(tmp_path / "b" / "long.wave", 9000, kind="<i3")
    (tmp_path / "b" / "notes.txt").write_text("no sound")
    (tmp_path / "b" / "._long.wav").write_bytes(b"of macOS")
    blocks = formats.chunks(tmp_path, rate=16000, seconds=0.5)
    assert blocks.rows == 3
    data = formats.collect(blocks, tmp_path)
    assert (data.form.shape, data.rate, data.classes) == ((8000,), 16000, ("a", "b"))
    assert data.labels.tolist() == [0, 0, 1]
    assert (blocks.fit.cut, blocks.fit.padded) == (1, 2)


def test_classes_in_file_names(tmp_path):
    for name in ("10_ann_2", "9_ann_0", "10_ann_10", "9_b_c_1"):
        save(tmp_path / f"{name}.wav")
    found = wavfolder.open_split(tmp_path)
    assert found.classes == ("9", "10")
    names = [Path(file).stem for file in found.files]
    assert names == ["9_ann_0", "9_b_c_1", "10_ann_2", "10_ann_10"]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert wavfolder.fields(found.files[1]) == ("9", "b_c", 1)
    assert read(tmp_path, classes="name").labels.tolist() == [0, 0, 1, 1]


def test_folders_that_may_be_speakers_are_not_guessed_at(tmp_path):
    for name in ("01/0_01_0", "01/1_01_0", "02/0_02_0", "02/1_02_0"):
        save(tmp_path / "data" / f"{name}.wav")
    with pytest.raises(DatasetError, match="set option 'classes' to 'folder' or to 'name'"):
        read(tmp_path / "data")
    assert read(tmp_path, classes="name").classes == ("0", "1")
    assert read(tmp_path / "data", classes="name").labels.tolist() == [0, 1, 0, 1]
    assert read(tmp_path / "data", classes="folder").classes == ("01", "02")
    assert read(tmp_path / "data", classes=["02", "01"]).classes == ("02", "01")


def test_a_file_that_is_not_so_named_is_named(tmp_path):
    save(tmp_path / "0_ann_0.wav")
    save(tmp_path / "one.wav")
    with pytest.raises(DatasetError, match=r"one\.wav is not named"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": "names"}, "option 'classes' is 'names'"),
        ({"classes": ["a", "c"]}, "lacks 1 of the classes"),
        ({"classes": 3}, "has 2 classes, not 3"),
        ({"size": 32}, "has no option 'size'"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, words):
    for name in ("a", "b"):
        save(tmp_path / name / "x.wav")
    with pytest.raises(DatasetError, match=words):
        read(tmp_path, **options)
    with pytest.raises(ParameterError, match="option 'seconds'"):
        read(tmp_path, seconds=-1)


def test_an_archive_is_read_as_the_folder_in_it(tmp_path):
    data = clips(6, 8000)
    write(data, tmp_path / "set", format="wavfolder", split="train")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted((tmp_path / "set").rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
    assert formats.detect(tmp_path / "set.zip") == "wavfolder"
    assert same(formats.read(tmp_path / "set.zip", split="train"), data)


def test_a_damaged_file_is_named(tmp_path):
    save(tmp_path / "a" / "x.wav")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "y.wav").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"y\.wav is not a whole WAV file \(it is empty\)"):
        read(tmp_path)


def test_no_class_or_only_one_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="has 0 class"):
        read(tmp_path)
    save(tmp_path / "a" / "x.wav")
    with pytest.raises(DatasetError, match="has 1 class"):
        read(tmp_path)


def test_wav_and_flac_lie_in_one_folder(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name / "1.wav", 9)
        (tmp_path / name / "2.flac").write_bytes(flac_bytes(noise(12, seed=3)))
    (tmp_path / "b" / "1.wav").unlink()
    data = formats.read(tmp_path, seconds=12 / 8000)
    assert data.labels.tolist() == [0, 0, 1]
    assert data.samples[1].tolist() == data.samples[2].tolist() == noise(12, seed=3)[:, 0].tolist()
    (tmp_path / "a" / "1.wav").unlink()
    assert formats.detect(tmp_path) == "wavfolder"


def test_sound_that_is_not_read_is_counted_and_named(tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / name / "1.wav", 9)
        (tmp_path / name / "2.mp3").write_bytes(b"ID3")
    with pytest.raises(DatasetError, match=r"3 sound files .* not read, .*a/2\.mp3: con"):
        read(tmp_path)
    with pytest.raises(DatasetError, match="has 2 sound files"):
        read(tmp_path, classes=["c", "b"])
    for file in list(tmp_path.rglob("*.wav")):
        file.unlink()
    (tmp_path / "train.tsv").write_text("text\tlabel\nyes\t0\nno\t1\n")
    with pytest.raises(DatasetError, match="has 3 sound files"):
        formats.read(tmp_path)
    assert len(formats.read(tmp_path, format="csv")) == 2
