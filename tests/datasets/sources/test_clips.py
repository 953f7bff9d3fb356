import numpy as np
import pytest

from datadeed.datasets.sources import audiomnist as published
from datadeed.errors import FetchError, ParameterError
from tests.datasets.formats import wav_toys
from tests.datasets.formats.wav_toys import noise, same, wav_bytes
from tests.datasets.formats.writers import write
from tests.datasets.sources.source_toys import opened


def record(folder, names):
    """Recordings of 50 frames; the first says which one it is."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        frames = noise(50)
        frames[0] = number
        (folder / f"{name}.wav").write_bytes(wav_bytes(frames))


def fsdd(folder):
    record(
        folder / "recordings", [f"{d}_{who}_{n}" for d in "10" for who in "ab" for n in range(7)]
    )


def audiomnist(folder, speakers=range(1, 61)):
    for speaker in speakers:
        names = [f"{digit}_{speaker:02d}_{take}" for digit in "01" for take in (0, 1)]
        record(folder / "data" / f"{speaker:02d}", names)


def test_fsdd_is_split_by_take_as_published(tmp_path):
    fsdd(tmp_path / "fsdd")
    train, test = opened("fsdd", tmp_path, tmp_path)
    assert (train.classes, train.form.shape, train.rate) == (("0", "1"), (8000,), 8000)
    assert train.labels.tolist() == [0] * 4 + [1] * 4
    assert test.labels.tolist() == [0] * 10 + [1] * 10
    # Files were written digit 1 first, and are read digit 0 first.
    assert train.samples[:, 0].tolist() == [19, 20, 26, 27, 5, 6, 12, 13]
    assert set(train.index.tolist()).isdisjoint(test.index.tolist())
    (shorter, _) = opened(
        "fsdd", tmp_path, path=str(tmp_path / "fsdd"), seconds=0.005, offset=0.00125
    )
    assert shorter.samples[0].tolist() == noise(50)[10:, 0].tolist()


@pytest.mark.parametrize("name", ["audiomnist", "AudioMNIST"])
def test_audiomnist_is_split_by_speaker(tmp_path, name):
    audiomnist(tmp_path / name)
    train, test = opened("audiomnist", tmp_path, tmp_path, rate=4000)
    assert (len(train), len(test)) == (48 * 4, 12 * 4)
    assert (train.classes, train.rate) == (("0", "1"), 4000)
    assert train.labels.tolist() == [0, 0, 1, 1] * 48
    speakers = {row // 4 + 1 for row in test.index.tolist()}
    assert speakers == published.TEST
    assert speakers.isdisjoint(row // 4 + 1 for row in train.index.tolist())


def test_recordings_that_are_not_whole_are_refused(tmp_path):
    audiomnist(tmp_path / "audiomnist", [1, 2])
    with pytest.raises(FetchError, match="0 of 8 recordings for testing: it is not whole"):
        opened("audiomnist", tmp_path, tmp_path)


@pytest.mark.parametrize("source", ["fsdd", "audiomnist"])
@pytest.mark.parametrize("form", ["parquet_audio", "wavfolder"])
def test_published_splits_are_kept(tmp_path, source, form):
    made = [wav_toys.clips(9, 8000, seed=1), wav_toys.clips(4, 8000, seed=2)]
    for data, split in zip(made, ("train", "test"), strict=True):
        write(data, tmp_path / source, format=form, split=split)
    read = opened(source, tmp_path, tmp_path)
    assert all(same(one, two) for one, two in zip(read, made, strict=True))


@pytest.mark.parametrize("source", ["fsdd", "audiomnist"])
def test_a_source_found_nowhere_is_one_line(tmp_path, source):
    (tmp_path / source).mkdir()
    with pytest.raises(FetchError, match=f"{source} was not found; tried: ") as caught:
        opened(source, tmp_path, tmp_path)
    assert "\n" not in str(caught.value)


def test_spoken_digits_are_embedded(tmp_path):
    pytest.importorskip("espeakng_loader")
    options = {"train_per_class": 2, "test_per_class": 1, "seconds": 0.5}
    train, test = opened("spoken-digits", tmp_path, **options)
    assert (len(train), len(test), train.form.shape) == (20, 10, (4000,))
    assert not same(train.slice(0, 10), test)
    assert np.array_equal(train.labels[:10], test.labels)


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("spoken-digits", {"train_per_class": 0}, "option 'train_per_class' is 0"),
        ("spoken-digits", {"test_per_class": 2.5}, "option 'test_per_class' is 2.5"),
        ("spoken-digits", {"seconds": -1}, "option 'seconds' is -1"),
        ("spoken-digits", {"path": "x"}, "no option 'path'"),
        ("fsdd", {"rate": 12}, "option 'rate' is 12"),
        ("fsdd", {"size": 32}, "no option 'size'"),
        ("audiomnist", {"offset": "a"}, "option 'offset' is 'a'"),
    ],
)
def test_parameters_that_make_no_sense(tmp_path, source, options, words):
    with pytest.raises(ParameterError, match=words):
        opened(source, tmp_path, **options)
