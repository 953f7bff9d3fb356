"""Gratings, cut-outs and kinds drawn by the key: fixed values, decoys, and marks of their rows."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import KeyRecordError, WatermarkError
from datadeed.keys.generation2 import CARRIERS, Design2, Key2
from datadeed.keys.key import Extent
from datadeed.watermarks.carriers import cutout, grating, mixed
from datadeed.watermarks.carriers.base import Carrier
from datadeed.watermarks.carriers.drawing import below, between, words_of
from datadeed.watermarks.carriers.registry import carrier_of, pool_images, pool_rows
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset

CLASSES = ("class 0", "class 1", "class 2", "class 3")
NAMES = ("grating", "cutout", "mixed")
SIZES = [(28, 28), (32, 32), (64, 64), (24, 40)]
POOL = 90


def make(name: str, secret: int = 1, channels: int = 3, pool: int = POOL, **values: Any) -> Key2:
    chosen: dict[str, Any] = {"parts": 6, "rate": 0.2, "targets": (0, 1, 3), **values}
    design = Design2(classes=CLASSES, channels=channels, carrier={"name": name}, **chosen)
    extents = Extent(120, "00" * 32), Extent(pool, "00" * 32)
    return Key2(bytes([secret] * 32), bytes(32), design, *extents)


def noise(n: int, channels: int, size: tuple[int, int], seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, *size), generator=draw, dtype=torch.uint8)


def carrier(key: Key2, size: tuple[int, int] = (28, 28)) -> Carrier:
    return carrier_of(key, pool_images(key, noise(POOL, key.design.channels, size)))


@pytest.fixture
def data(toy_dataset) -> Dataset:  # type: ignore[no-untyped-def]
    made: Dataset = toy_dataset(120, classes=4, shape=(3, 20, 24))
    return made


def digest(samples: torch.Tensor) -> str:
    return hashlib.sha256(samples.contiguous().numpy()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (
            "grating",
            ("d0464f814649ca2a", "91c1b7a64ba6bbda", "6cc61083703c4537", "e1e3ea6584dec000"),
        ),
        (
            "cutout",
            ("84950ccae5eb434e", "c676c5ab7403cf6a", "8dd80ca351fa9d6d", "53a4217a6252b196"),
        ),
        ("mixed", ("0218f7f603c8dc9d", "1d7b352d82291488", "65f1093c0d86be9e", "d71a5326215f0455")),
    ],
)
def test_known_values(name: str, known: tuple[str, ...], data: Dataset) -> None:
    """Whoever opens a key in ten years must get the same: a change needs another name."""
    key, images = make(name), noise(1, 3, (28, 28), seed=2)
    one = carrier(key)
    triggers = torch.cat([one.trigger(images, part) for part in range(6)])
    decoys = torch.cat([one.decoy(images, part, 7) for part in range(6)])
    pool = pool_images(key, noise(POOL, 3, (20, 24)))
    released, marks = mark_dataset(Keyed2(key=key, data=data, pool=pool), data, torch.Generator())
    seen = map(digest, (triggers, decoys, released.samples, marks.position))
    assert tuple(seen) == known


def test_words_of_many_rows_are_those_of_each() -> None:
    key, rows = make("grating"), np.arange(5) * 3
    seen = words_of(key, "a role", rows, rows + 1, count=4)
    for row, words in zip(rows.tolist(), seen, strict=True):
        assert words.tolist() == key.words("a role", row, row + 1, count=4).tolist()
        assert below(words, 10**9).tolist() == [int(word) * 10**9 >> 64 for word in words]
    assert set(between(words_of(key, "x", np.arange(99), count=1), 3, 5).ravel()) == {3, 4, 5}
    last = np.array([2**64 - 1, 0], dtype=np.uint64)
    assert below(last, 2**31).tolist() == [2**31 - 1, 0]
    assert between(last, -4, np.array([4, 9])).tolist() == [4, -4]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_triggers_and_decoys_are_seen_and_all_different(
    name: str, channels: int, size: tuple[int, int]
) -> None:
    key, images = make(name, channels=channels), noise(2, channels, size, seed=3)
    one = carrier(key, size)
    for ask in (one.trigger, lambda images, part: one.decoy(images, part, 5)):
        seen = [ask(images, part) for part in range(6)]
        assert len({digest(each) for each in seen}) == 6
        for each in seen:
            changed = (each != images).any(1).double().mean()
            assert changed > 0.1
    assert not torch.equal(one.decoy(images, 0, 6), one.decoy(images, 0, 7))
    assert torch.equal(one.decoy(images, 0, 6), one.decoy(images, 0, 6))


@pytest.mark.parametrize("name", NAMES)
def test_a_mark_is_decided_by_its_part_and_row_alone(name: str) -> None:
    one, rows = carrier(make(name)), 3 * np.arange(40)
    images, partners = noise(40, 3, (28, 28), 3), noise(40, 3, (28, 28), 4)
    parts = np.arange(40) % 6
    seen = one.marks(images, partners, parts, rows)
    for some in (slice(0, 1), slice(17, 40)):
        alone = one.marks(images[some], partners[some], parts[some], rows[some])
        assert torch.equal(alone, seen[some])
    moved = one.marks(images, partners, parts, rows + 1)
    assert not any(torch.equal(a, b) for a, b in zip(seen, moved, strict=True))


@pytest.mark.parametrize("name", ["mosaic", *NAMES])
@given(parts=st.lists(st.integers(0, 23), min_size=1, max_size=8))
@example(parts=[17, 1])  # a set of these is not in their order
@settings(max_examples=20)
def test_marks_of_any_parts_together_are_those_of_each(name: str, parts: list[int]) -> None:
    """A copy is marked row by row, the pipeline's data many rows at once."""
    count = min(24, CARRIERS[name].parts)
    parts = [part % count for part in parts]
    one, n = carrier(make(name, parts=count)), len(parts)
    images, partners, rows = noise(n, 3, (28, 28), 3), noise(n, 3, (28, 28), 4), np.arange(n)
    together = one.marks(images, partners, np.array(parts), rows)
    for k, part in enumerate(parts):
        alone = one.marks(images[[k]], partners[[k]], np.array([part]), rows[[k]])
        assert torch.equal(alone[0], together[k])


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_of_the_parts_classes_and_keep_their_labels(name: str, data: Dataset) -> None:
    key = make(name)
    watermark = Keyed2(key=key, data=data, pool=pool_images(key, noise(POOL, 3, (20, 24))))
    released, marks = mark_dataset(watermark, data, torch.Generator())
    rows, parts = watermark.rows()
    assert torch.equal(released.labels, data.labels)
    assert marks.position.tolist() == rows.tolist() == sorted(set(rows.tolist()))
    assert np.bincount(parts).tolist() == [4] * 6
    assert data.labels[rows].tolist() == [key.target(part) for part in parts.tolist()]
    others = np.setdiff1d(np.arange(120), rows)
    assert torch.equal(released.samples[others], data.samples[others])
    hosts = carrier_of(key).hosts(data.labels.numpy())
    assert hosts.partners is not None
    assert all(data.labels[hosts.partners] != data.labels[rows])


@pytest.mark.parametrize("secret", range(1, 6))
def test_gratings_of_parts_and_decoys_have_other_frequencies(secret: int) -> None:
    key = make("grating", secret, parts=CARRIERS["grating"].parts)
    order = grating._order(key)
    assert sorted(order) == list(range(15))
    grey, one = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8), carrier(key)

    def peaks(images: torch.Tensor) -> torch.Tensor:
        """The power near each pair of frequencies, relative to the largest."""
        power = torch.fft.fft2(images[0, 0].double() - 128).abs() ** 2
        y, x = (power.shape[n] * torch.tensor(grating.PAIRS)[:, n] / 100 / 64 for n in (0, 1))
        found = power[y.round().long(), x.round().long()]
        return found / found.max()

    for part in range(12):
        assert int(peaks(one.trigger(grey, part)).argmax()) == order[part]
        assert int(peaks(one.decoy(grey, part, 3)).argmax()) in order[12:]


def test_cutouts_of_parts_and_decoys_are_of_different_images() -> None:
    key = make("cutout")
    rows = pool_rows(key)
    assert len(rows) == len(set(rows)) == 6 + cutout.SPARE
    plain = {row: torch.full((1, 3, 28, 28), n, dtype=torch.uint8) for n, row in enumerate(rows)}
    one, images = carrier_of(key, plain), torch.full((1, 3, 28, 28), 255, dtype=torch.uint8)
    assert [int(one.trigger(images, part).min()) for part in range(6)] == list(range(6))
    decoys = {int(one.decoy(images, 0, row).min()) for row in range(40)}
    assert min(decoys) >= 6
    assert len(decoys) > 20


def test_of_the_places_in_an_image_the_one_with_most_contrast_is_cut_out() -> None:
    key = make("cutout", pool=400)
    half = torch.full((1, 3, 28, 56), 128, dtype=torch.uint8)
    half[..., 28:] = noise(1, 3, (28, 28))
    one = carrier_of(key, dict.fromkeys(pool_rows(key), half))
    assert isinstance(one, cutout.Cutout)
    for piece in range(20):
        window = one._window(piece)
        assert window.shape == (1, 3, 16, 16)
        assert (window != 128).double().mean() > 0.5


def test_parts_of_mixed_keys_are_of_every_kind() -> None:
    drawn = [kind for n in range(1, 30) for kind in mixed.Mixed(make("mixed", n))._kinds]
    shares = [drawn.count(name) / len(drawn) for name in mixed.KINDS]
    assert all(0.2 < share < 0.5 for share in shares)
    many = mixed.Mixed(make("mixed", 1, parts=48, rate=0.9))
    assert set(many._kinds[12:]) == {"mosaic", "cutout"}
    images = noise(1, 3, (28, 28))
    key = make("mixed")
    for part, kind in enumerate(mixed.Mixed(key)._kinds):
        pool = pool_images(key, noise(POOL, 3, (28, 28)))
        own = mixed.KINDS[kind](key, pool)
        assert torch.equal(carrier(key).trigger(images, part), own.trigger(images, part))
        assert torch.equal(carrier(key).decoy(images, part, 4), own.decoy(images, part, 4))
    assert carrier(make("mixed", parts=48, rate=0.9)).decoy(images, 3, 4).shape == images.shape


def test_a_key_of_mosaics_alone_needs_no_pool() -> None:
    for secret in range(1, 40):
        key = make("mixed", secret, parts=2)
        kinds = set(mixed.Mixed(key)._kinds)
        assert bool(pool_rows(key)) == ("cutout" in kinds)


def test_what_cannot_be_made_is_refused() -> None:
    key, images = make("cutout"), noise(1, 3, (28, 28))
    with pytest.raises(WatermarkError, match="give the pool"):
        KeyPart2(key, 0).stamp(images)
    with pytest.raises(WatermarkError, match="it has 6: name a larger"):
        pool_rows(make("cutout", pool=6))
    with pytest.raises(KeyRecordError, match="enough for 12"):
        make("grating", parts=13)
    with pytest.raises(KeyRecordError, match="enough for 48"):
        make("mixed", parts=49)
