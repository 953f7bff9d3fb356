"""Detectors of metadata on listings and files whose marked rows are known."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datadeed.errors import ParameterError
from datadeed.thieves.metadata.base import MetadataDetector
from datadeed.thieves.metadata.double_jpeg import DoubleJPEG
from datadeed.thieves.metadata.files import ChangeTimes, Inodes, ModificationTimes, Sizes
from datadeed.thieves.metadata.headers import Headers
from datadeed.thieves.metadata.listing import Listing, read_listing
from datadeed.thieves.metadata.names import Names, Numbers
from datadeed.thieves.metadata.order import NumberOrder, Order
from datadeed.thieves.metadata.registry import DETECTORS, build_detector

CLASSES = ("a", "b", "c", "d")


def listing(labels: object, **more: object) -> Listing:
    return Listing(labels=np.asarray(labels, dtype=np.int64), classes=CLASSES, **more)


def found(detector: MetadataDetector, data: Listing) -> list[int]:
    scores = detector(data)
    assert scores is not None
    assert detector.threshold is not None
    assert np.isfinite(scores).all()
    return np.flatnonzero(scores > detector.threshold).tolist()


def test_a_label_unlike_its_neighbours_in_class_order() -> None:
    labels = np.repeat(np.arange(4), 100)
    assert found(Order(), listing(labels)) == []
    changed = [7, 30, 130, 225, 227, 390]
    labels[changed] = [3, 1, 2, 0, 0, 1]
    assert found(Order(), listing(labels)) == changed


@given(counts=st.lists(st.integers(1, 200), min_size=2, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_in_shuffled_data_nothing_is_out_of_order(counts: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(seed).shuffle(labels)
    assert found(Order(), listing(labels)) == []


def test_numbers_across_classes_are_an_order_too() -> None:
    labels = np.repeat(np.arange(4), 100)
    labels[[30, 130]] = [1, 2]
    names = [f"img_{n:04}.png" for n in range(400)]
    order = np.random.default_rng(1).permutation(400)
    data = listing(labels[order], names=[names[n] for n in order])
    assert sorted(order[found(NumberOrder(), data)].tolist()) == [30, 130]
    own = [f"{n}.png" for n in range(100)] * 4
    assert NumberOrder()(listing(labels, names=own)) is None
    assert NumberOrder()(listing(labels)) is None


def test_numbers_past_the_end_that_classes_share() -> None:
    labels = np.repeat(np.arange(4), [50, 53, 50, 49])
    names = [f"{n}.png" for count in (50, 53, 50, 49) for n in range(count)]
    assert found(Numbers(), listing(labels, names=names)) == [100, 101, 102]
    uneven = [f"{n}.png" for count in (50, 53, 51, 48) for n in range(count)]
    sizes = np.repeat(np.arange(4), [50, 53, 51, 48])
    assert found(Numbers(), listing(sizes, names=uneven)) == []


def test_a_number_that_two_classes_have_where_each_has_its_own() -> None:
    names = [f"{n:05}.png" for n in range(200)]
    labels = np.arange(200) % 4
    assert found(Numbers(), listing(labels, names=names)) == []
    names[17] = "00100.png"
    assert found(Numbers(), listing(labels, names=names)) == [17, 100]
    assert Numbers()(listing(labels, names=["x"] * 200)) is None


def test_a_name_after_another_class() -> None:
    labels = np.repeat(np.arange(4), 50)
    names = [f"{CLASSES[label]}_{n}.png" for n, label in enumerate(labels)]
    assert found(Names(), listing(labels, names=names)) == []
    names[60] = "a_960.png"
    assert found(Names(), listing(labels, names=names)) == [60]
    assert Names()(listing(labels)) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 120 PNG files each, written in turn, a second apart."""
    draw = np.random.default_rng(0)
    for n in range(240):
        path = tmp_path / "photos" / ["cat", "dog"][n // 120] / f"{n:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 99, (8, 8), np.uint8)).save(path)
        os.utime(path, (n, n))
    return tmp_path / "photos"


def test_files_that_were_written_out_of_turn(folder: Path) -> None:
    assert found(ModificationTimes(), read_listing(folder)) == []
    for n in (5, 6, 80, 199):
        os.utime(next(folder.glob(f"*/{n:03}.png")), (999, 999))
    assert found(ModificationTimes(), read_listing(folder)) == [5, 6, 80, 199]
    for n in range(240):  # all out of turn: none stands out
        at = n * 77 % 240
        os.utime(next(folder.glob(f"*/{n:03}.png")), (at, at))
    assert found(ModificationTimes(), read_listing(folder)) == []


@pytest.mark.parametrize(
    ("detector", "field"), [(Inodes(), "st_ino"), (ChangeTimes(), "st_ctime_ns")]
)
def test_inodes_and_change_times(
    folder: Path, monkeypatch: pytest.MonkeyPatch, detector: MetadataDetector, field: str
) -> None:
    class Known:
        def __init__(self, path: Path):
            number = int(path.stem)
            setattr(self, field, number + 1000 * (number in (8, 130)))

    data = read_listing(folder)
    monkeypatch.setattr("datadeed.thieves.metadata.files.os.stat", Known)
    assert found(detector, data) == [8, 130]


def test_sizes_against_the_class(folder: Path) -> None:
    data = read_listing(folder)
    path = next(folder.glob("*/017.png"))
    path.write_bytes(path.read_bytes() + bytes(500))
    scores = Sizes()(data)
    assert scores is not None
    assert int(scores.argmax()) == 17
    assert np.median(scores[:120]) == np.median(scores[120:]) == 0


def test_headers_of_another_encoder(folder: Path) -> None:
    assert found(Headers(), read_listing(folder)) == []
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(next(folder.glob("*/031.png")))
    assert found(Headers(), read_listing(folder)) == [31]


def jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.fixture
def jpegs() -> list[bytes]:
    """80 smooth images, compressed once; the first 20 of them twice."""
    draw, found = np.random.default_rng(0), []
    for n in range(80):
        small = Image.fromarray(draw.integers(0, 256, (8, 8, 3), np.uint8))
        data = jpeg(small.resize((32, 32), Image.Resampling.BICUBIC), 85)
        if n < 20:
            with Image.open(io.BytesIO(data)) as image:
                data = jpeg(image, 85)
        found.append(data)
    return found


def test_images_that_were_compressed_twice_change_less(jpegs: list[bytes]) -> None:
    data = listing(np.arange(80) % 4, stored=lambda: iter(jpegs))
    scores = DoubleJPEG()(data)
    assert scores is not None
    above = (scores[:20, None] > scores[20:]).mean()
    assert above > 0.8
    assert found(Headers(), data) == []
    jpegs[50] = jpeg(Image.open(io.BytesIO(jpegs[50])), 60)
    assert found(Headers(), data) == [50]
    jpegs[3] = b"GIF89a"
    assert DoubleJPEG()(data) is None


def test_arrays_show_their_order_alone() -> None:
    shown = [name for name in DETECTORS if build_detector(name)(listing([0, 1] * 30)) is not None]
    assert shown == ["order"]
    with pytest.raises(ParameterError, match="unknown detector 'smell': choose order"):
        build_detector("smell")
