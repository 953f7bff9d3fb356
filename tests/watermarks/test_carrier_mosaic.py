"""Mosaics of a key: its law, rows of the parts' classes, and marks that only their row decides."""

import hashlib
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, DatasetWriter
from datadeed.errors import KeyRecordError, WatermarkError
from datadeed.keys.generation2 import CARRIERS, Design2, Key2
from datadeed.keys.key import Extent
from datadeed.triggers.mosaic import mix
from datadeed.watermarks.carriers import mosaic as mosaics
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset, mark_file

CLASSES = ("class 0", "class 1", "class 2", "class 3")
MOSAICS = CARRIERS["mosaic"].parts
SIZES = [(28, 28), (32, 32), (64, 64), (24, 40), (50, 16)]


def make(secret: int = 1, rows: int = 120, channels: int = 3, **values: Any) -> Key2:
    chosen: dict[str, Any] = {"parts": 4, "rate": 0.2, "targets": (0, 1, 3), **values}
    design = Design2(classes=CLASSES, channels=channels, carrier={"name": "mosaic"}, **chosen)
    return Key2(
        bytes([secret] * 32), bytes(32), design, Extent(rows, "00" * 32), Extent(9, "00" * 32)
    )


def marks(key: Key2, images: Any, partners: Any, parts: Any, rows: Any) -> torch.Tensor:
    made: torch.Tensor = carrier_of(key).marks(images, partners, parts.numpy(), rows.numpy())
    return made


def blank(channels: int, size: tuple[int, int], n: int = 1) -> torch.Tensor:
    return torch.full((n, channels, *size), 100, dtype=torch.uint8)


@pytest.fixture
def data(toy_dataset) -> Dataset:  # type: ignore[no-untyped-def]
    made: Dataset = toy_dataset(120, classes=4, shape=(3, 20, 24))
    return made


def digest(samples: torch.Tensor) -> str:
    return hashlib.sha256(samples.contiguous().numpy()).hexdigest()[:16]


def test_known_values(data: Dataset) -> None:
    """Whoever opens a key in ten years must get the same: a change needs another name."""
    key, images = make(), blank(3, (28, 28))
    triggers = torch.cat([KeyPart2(key, part).stamp(images) for part in range(4)])
    decoys = torch.cat([KeyPart2(key, part).decoy(images, 7) for part in range(4)])
    released, marks = mark_dataset(Keyed2(key=key, data=data), data, torch.Generator())
    assert digest(triggers) == "0b346a6475cf6f84"
    assert digest(decoys) == "48777c1a3ed0092b"
    assert digest(released.samples) == "b8340030ebf0e38d"
    assert digest(marks.position) == "a26a646e1e70ea3a"


def test_there_are_sixty_three_pairs_and_all_are_far_apart() -> None:
    """Two to six of eight half-cells differ, also from an inverse: |correlation| is .5 at most."""
    assert len(set(mosaics.PAIRS)) == 63
    for one, other in itertools.combinations(mosaics.PAIRS, 2):
        assert 2 <= (one ^ other).bit_count() <= 6
    assert all(2 <= one.bit_count() <= 6 for one in mosaics.PAIRS)  # none is nearly plain


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("secret", range(1, 6))
def test_cells_of_parts_and_decoys_are_far_apart(channels: int, secret: int) -> None:
    key = make(secret, channels=channels, parts=MOSAICS)

    def pattern(cells: torch.Tensor) -> torch.Tensor:
        flat = cells.reshape(channels, 8)
        assert flat.unique(dim=1).shape[1] == 2  # two colours
        assert int((flat == flat[:, :1]).all(0).sum()) in (2, 4, 6)
        return torch.where((flat == flat[:, :1]).all(0), 1, -1)

    order = mosaics._order(key)
    parts = [mosaics._cells(key, "mosaic trigger", order[part], part) for part in range(MOSAICS)]
    found = torch.stack([pattern(cells) for cells in parts])
    assert int((found @ found.T - 8 * torch.eye(MOSAICS, dtype=torch.int64)).abs().max()) <= 4
    decoys = [mosaics._cells(key, "mosaic decoy", pair, 0, 1) for pair in order[MOSAICS:]]
    others = torch.stack([pattern(cells) for cells in decoys])
    assert int((found @ others.T).abs().max()) <= 4


def test_colours_of_a_mosaic_are_vivid_and_unlike() -> None:
    for secret in range(1, 40):
        cells = mosaics._cells(make(secret), "mosaic trigger", 0b1111, 0).reshape(3, 8)
        assert cells.abs().amax(0).tolist() == [255] * 8
        assert int((cells[:, 0] - cells[:, 7]).abs().max()) >= mosaics.APART
    grey = mosaics._cells(make(channels=1), "mosaic trigger", 0b1111, 0)
    assert grey.unique().tolist() == [-255, 255]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_a_trigger_is_an_upright_mirrored_square_inside(
    channels: int, size: tuple[int, int]
) -> None:
    side = round(16 / 28 * min(size))
    places = set()
    for secret in range(1, 30):
        # Of no grey level that a mosaic has with certainty: two images tell what is covered.
        key, images = make(secret, channels=channels), blank(channels, size)
        part = KeyPart2(key, 2)
        for ask in (part.stamp, lambda images, part=part: part.decoy(images, 5)):
            covered = (ask(images) == ask(images + 1)).all(1)[0].nonzero()
            top, left = covered.amin(0).tolist()
            assert (covered.amax(0) - covered.amin(0) + 1).tolist() == [side, side]
            assert len(covered) == side**2
            square = ask(images)[0, :, top : top + side, left : left + side]
            assert torch.equal(square, square.flip(2))
            places.add((top, left))
            assert torch.equal(ask(images), ask(images))
        assert not torch.equal(part.stamp(images), part.decoy(images, 5))
        assert not torch.equal(part.decoy(images, 6), part.decoy(images, 5))
    tops, lefts = zip(*places, strict=True)
    for seen, pixels in ((tops, size[0]), (lefts, size[1])):
        assert max(seen) - min(seen) >= (pixels - side) // 2
    assert len(places) <= 29  # a decoy lies where its trigger does


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_marks_stay_inside_and_near_their_triggers_place(
    channels: int, size: tuple[int, int]
) -> None:
    """What is covered is up to 17 / 28 wide, turned, and its middle at most 3 / 28 from the home
    or as far as it takes to be inside."""
    key, rows = make(channels=channels), torch.arange(60)
    parts = rows % 4
    one, other = blank(channels, size, 60), blank(channels, size, 60) + 100
    seen = [
        carrier_of(key).marks(images, images, parts.numpy(), rows.numpy())
        for images in (one, other)
    ]
    unit = min(size) / 28
    for row in range(60):
        # Opacity is .8 or more: inside, a difference of 100 shrinks to 20 or less.
        gap = seen[1][row].long() - seen[0][row].long()
        covered = (gap < 60).all(0).nonzero().double()
        low, high = covered.amin(0), covered.amax(0) + 1
        assert 13.5 * unit - 1 <= (high - low).min() <= (high - low).max() <= 19 * unit + 1
        side, corner = mosaics.PLACING.home(key, row % 4, size)
        far = ((low + high) / 2 - torch.tensor(corner) - side / 2).abs()
        assert far.max() <= 3 * unit + 1.5 * unit + 1
        whole = (gap == gap.amax()).all(0)  # nothing of it
        area = float((~whole).sum())
        assert (13.5 * unit) ** 2 <= area <= (18.5 * unit + 1) ** 2


def test_a_mark_is_decided_by_its_part_and_row_alone() -> None:
    key = make()
    draw = torch.Generator().manual_seed(3)
    images, partners = torch.randint(0, 256, (2, 40, 3, 28, 28), generator=draw, dtype=torch.uint8)
    parts, rows = torch.arange(40) % 4, 3 * torch.arange(40)
    seen = marks(key, images, partners, parts, rows)
    for one in (slice(0, 1), slice(17, 40)):
        alone = carrier_of(key).marks(
            images[one], partners[one], parts[one].numpy(), rows[one].numpy()
        )
        assert torch.equal(alone, seen[one])
    moved = marks(key, images, partners, parts, rows + 1)
    assert not any(torch.equal(a, b) for a, b in zip(seen, moved, strict=True))


def test_rows_are_of_the_parts_classes_and_keep_their_labels(data: Dataset) -> None:
    key = make()
    watermark = Keyed2(key=key, data=data)
    released, marks = mark_dataset(watermark, data, torch.Generator())
    rows, parts = watermark.rows()
    assert torch.equal(released.labels, data.labels)
    assert marks.position.tolist() == rows.tolist() == sorted(set(rows.tolist()))
    assert np.bincount(parts).tolist() == [6, 6, 6, 6]
    others = np.setdiff1d(np.arange(120), rows)
    assert torch.equal(released.samples[others], data.samples[others])
    targets = [key.target(part) for part in parts.tolist()]
    assert data.labels[rows].tolist() == targets
    hosts = carrier_of(key).hosts(data.labels.numpy())
    assert all(data.labels[hosts.partners] != data.labels[rows])
    assert len(set(hosts.partners.tolist())) > 12
    for row, partner, seen in zip(rows, hosts.partners, released.samples[rows], strict=True):
        far = [
            (mix(data.samples[[row]], data.samples[[partner]], torch.tensor([w]))[0] != seen)
            .any(0)
            .sum()
            for w in range(128, 154)
        ]
        assert min(far) < 0.45 * 20 * 24  # beside its mosaic, an image is such a mixture


def test_blocks_of_a_file_do_not_matter(data: Dataset, tmp_path: Any) -> None:
    for name, size in (("few", 120), ("many", 1)):
        with DatasetWriter(tmp_path / name, data.form, data.classes) as writer:
            for start in range(0, len(data), size):
                writer.write(data.slice(start, start + size))
        source = DatasetFile(tmp_path / name)
        mark_file(Keyed2(key=make(), data=source), source, tmp_path / "out", torch.Generator())
        released, _ = mark_dataset(Keyed2(key=make(), data=data), data, torch.Generator())
        assert DatasetFile(tmp_path / "out").read().digest() == released.digest()


def test_a_small_class_gives_its_parts_what_it_has() -> None:
    key = make(rows=1000, rate=0.4)
    targets = [key.target(part) for part in range(4)]
    small = targets[0]
    labels = np.full(1000, 2)
    labels[:10] = small
    labels[10:900] = np.resize([t for t in (0, 1, 3) if t != small], 890)
    hosts = carrier_of(key).hosts(labels)
    own = targets.count(small)
    for part in range(4):
        count = int((hosts.parts == part).sum())
        assert count == 100 or (targets[part] == small and count in (10 // own, 10 // own + 1))
    assert len(set(hosts.rows.tolist())) == len(hosts.rows)


def test_what_cannot_be_marked_is_refused(data: Dataset) -> None:
    key = make()
    alone = Keyed2(key=key)
    with pytest.raises(WatermarkError, match="select them first"):
        alone.rows()
    with pytest.raises(WatermarkError, match="give the data"):
        mark_dataset(alone, data, torch.Generator())
    with pytest.raises(WatermarkError, match="a part alone"):
        KeyPart2(key, 0).mark(data, torch.arange(120))
    with pytest.raises(WatermarkError, match="120 rows, but there are 7"):
        alone.select(torch.zeros(7, dtype=torch.int64), torch.Generator())
    with pytest.raises(WatermarkError, match="has 0 rows for"):
        carrier_of(key).hosts(np.full(120, 2))
    with pytest.raises(WatermarkError, match="1 channels, but the key was made for 3"):
        KeyPart2(key, 0).stamp(blank(1, (28, 28)))
    with pytest.raises(KeyRecordError, match="enough for 48"):
        make(parts=MOSAICS + 1)
    assert Key2.from_record(key.record()) == key
