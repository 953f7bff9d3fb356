"""Faces from folders of people, and from CelebA's list."""

import numpy as np
import pytest
from PIL import Image

from datadeed.errors import FetchError, ParameterError
from tests.datasets.sources.source_toys import opened


def face(path, value, *, mode="L", size=(12, 14)):
    """A picture of one colour: red is ``value``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((*size[::-1], 3), np.uint8)
    pixels[..., 0] = value
    Image.fromarray(pixels if mode == "RGB" else pixels[..., 0]).save(path)


def people(folder, counts):
    """AT&T's layout: ``counts`` images of each person, as bright as ten times their number."""
    for name, count in counts.items():
        for number in range(1, 1 + count):
            face(folder / name / f"{number}.pgm", 10 * number)
    (folder / "README").write_text("not a face")


def celeba(folder, counts, *, anno="", img=""):
    """CelebA's layout: person and image numbers do not go together."""
    lines, number = [], 0
    for turn in range(max(counts.values())):
        for name, count in counts.items():
            if turn < count:
                number += 1
                file = f"{number:06d}.jpg"
                face(folder / img / "img_align_celeba" / file, 200, mode="RGB", size=(18, 22))
                lines.append(f"{file} {name}")
    (folder / anno).mkdir(parents=True, exist_ok=True)
    (folder / anno / "identity_CelebA.txt").write_text("\n".join(lines) + "\n")
    return lines


def test_a_folder_a_person(tmp_path):
    people(tmp_path / "att_faces", {"s1": 10, "s2": 10, "s10": 6, "s3": 4})
    train, test = opened("faces", tmp_path, tmp_path, size=8)
    assert train.classes == test.classes == ("s1", "s10", "s2")  # s3 has fewer than five
    assert train.shape == (1, 8, 8)
    assert np.bincount(train.labels).tolist() == [8, 5, 8]
    assert np.bincount(test.labels).tolist() == [2, 1, 2]
    # Every fifth by name: 1, 10, 2, 3, 4*, 5, 6, 7, 8, 9*.
    assert test.samples[test.labels == 0].flatten(1)[:, 0].tolist() == [40, 90]
    few, _ = opened("faces", tmp_path, tmp_path, size=8, people=2)
    assert few.classes == ("s1", "s2")


@pytest.mark.parametrize(("anno", "img"), [("", ""), ("Anno", "Img")])
def test_celebas_list(tmp_path, anno, img):
    lines = celeba(tmp_path / "celeba", {"20": 7, "3": 10, "100": 5, "7": 3}, anno=anno, img=img)
    train, test = opened("faces", tmp_path, tmp_path, size=9, people=2, colour=True)
    assert train.classes == ("20", "3")
    assert train.shape == (3, 9, 9)
    assert (len(train), len(test)) == (14, 3)
    assert train.samples[:, 0].float().mean() > 150
    assert train.samples[:, 2].float().mean() < 50
    for data in (train, test):
        whose = [lines[number - 1].split()[1] for number in data.index.tolist()]
        assert whose == [data.classes[label] for label in data.labels.tolist()]


def test_what_is_wrong_is_one_line(tmp_path):
    with pytest.raises(FetchError, match=r"a folder a person in faces/, or identity_CelebA\.txt"):
        opened("faces", tmp_path, tmp_path)
    people(tmp_path / "faces", {"s1": 5, "s2": 4})
    with pytest.raises(FetchError, match="has 1 people with five images or more"):
        opened("faces", tmp_path, tmp_path, size=8)
    with pytest.raises(ParameterError, match="option 'people' is 1"):
        opened("faces", tmp_path, tmp_path, people=1)
    with pytest.raises(ParameterError, match="option 'colour' is 'red'"):
        opened("faces", tmp_path, tmp_path, colour="red")
    place = tmp_path / "celeba"
    place.mkdir()
    listing = place / "identity_CelebA.txt"
    listing.write_text("000001.jpg 5\n")
    with pytest.raises(FetchError, match="but no img_align_celeba/"):
        opened("faces", tmp_path, path=str(place))
    (place / "img_align_celeba").mkdir()
    for wrong in ("../secret.jpg 5", "000001.pkl 5", "000001.jpg"):
        listing.write_text(f"000002.jpg 5\n{wrong}\n")
        with pytest.raises(FetchError, match=r"line 2 is not an image's name and a person"):
            opened("faces", tmp_path, path=str(place))


def test_a_folder_of_data_sets_is_no_folder_of_people(tmp_path):
    people(tmp_path / "faces", {"s1": 5, "s2": 5})
    face(tmp_path / "other" / "class" / "x.png", 9)
    train, _ = opened("faces", tmp_path, path=str(tmp_path), size=8)
    assert train.classes == ("s1", "s2")
