"""EMNIST's letters as published: on their side, labels from 1, digits' likenesses among them."""

import gzip

import numpy as np
import pytest

from datadeed.datasets.formats import idx
from datadeed.datasets.sources import letters
from datadeed.errors import FetchError
from tests.datasets.sources.source_toys import opened


def published(folder, *, packed=True, labels=range(1, 27)):
    """An image a letter, (26, 28, 28): its upper right corner is as bright as its label."""
    folder.mkdir(parents=True, exist_ok=True)
    upright = np.zeros((len(labels), 28, 28), np.uint8)
    upright[:, :4, 20:] = np.array(labels)[:, None, None]
    arrays = {"images-idx3": upright.transpose(0, 2, 1), "labels-idx1": np.array(labels)}
    for split in ("train", "test"):
        for kind, array in arrays.items():
            name = f"emnist-letters-{split}-{kind}-ubyte"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(array)))
            else:
                (folder / name).write_bytes(idx.encode(array))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", ["emnist", "EMNIST/raw", "gzip"])
def test_letters_stand_upright(tmp_path, place, packed):
    published(tmp_path / place, packed=packed)
    train, test = opened("emnist", tmp_path, tmp_path)
    assert train.shape == test.shape == (1, 28, 28)
    assert [name.removeprefix("letter ") for name in train.classes] == list("cefhkmnpruvwx")
    corner = train.samples[:, 0, 0, 27]
    assert corner.tolist() == [1 + "abcdefghijklmnopqrstuvwxyz".index(x) for x in "cefhkmnpruvwx"]
    assert (train.samples[:, 0, 27, 0] == 0).all()
    assert train.labels.tolist() == list(range(13))
    assert train.index.tolist() == (corner.int() - 1).tolist()
    small, _ = opened("emnist", tmp_path, tmp_path, size=14)
    assert small.shape == (1, 14, 14)


def test_a_letter_that_looks_like_a_digit_in_one_case_is_left_out(tmp_path):
    published(tmp_path / "emnist")
    train, _ = opened("emnist", tmp_path, path=str(tmp_path / "emnist"))
    kept = {name[-1] for name in train.classes}
    assert not set("abdgijloqstyz") & kept
    assert {c for letter in kept for c in (letter, letter.upper())} <= set(letters.LETTERS)


def test_what_is_wrong_is_one_line(tmp_path):
    folder = tmp_path / "emnist"
    with pytest.raises(FetchError, match="emnist-letters-train-images-idx3-ubyte") as caught:
        opened("emnist", tmp_path, tmp_path)
    assert "\n" not in str(caught.value)
    published(folder, labels=range(26))
    with pytest.raises(FetchError, match="labels other than 1 to 26"):
        opened("emnist", tmp_path, tmp_path)
    published(folder)
    (folder / "emnist-letters-test-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FetchError, match="lacks the test labels"):
        opened("emnist", tmp_path, tmp_path)
    published(folder)
    file = folder / "emnist-letters-train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(FetchError, match="is damaged"):
        opened("emnist", tmp_path, tmp_path)
