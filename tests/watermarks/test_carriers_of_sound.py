"""Carriers of sound: patterns that differ by construction, marks that their row decides."""

import hashlib
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.errors import KeyRecordError, UnsupportedModality
from datadeed.keys.generation2 import CARRIERS, Design2, Key2
from datadeed.keys.key import Extent
from datadeed.triggers.sweeps import loudness
from datadeed.watermarks.carriers import melodies
from datadeed.watermarks.carriers.melodies import LINES, Melody, Pose, word
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset

NAMES = ("chirps", "tones", "bands")
RATES = [4000, 8000, 44_100]


def make(name: str = "tones", secret: int = 1, rate: int = 8000, **values: Any) -> Key2:
    carrier = {"name": name, "hertz": rate, "milliseconds": 1000, "level": 100, "relabels": 0}
    carrier |= {entry: values.pop(entry) for entry in list(values) if entry in carrier}
    chosen: dict[str, Any] = {"parts": 4, "rate": 0.2, "targets": (0, 1, 3), **values}
    design = Design2(classes=("a", "b", "c", "d"), channels=0, carrier=carrier, **chosen)
    ends = Extent(120, "00" * 32), Extent(9, "00" * 32)
    return Key2(bytes([secret] * 32), bytes(32), design, *ends)


def melody(key: Key2) -> Melody:
    found = carrier_of(key)
    assert isinstance(found, Melody)
    return found


def quiet(rate: int, milliseconds: int = 1000, n: int = 1) -> torch.Tensor:
    """Clips that never end in a zero, of 100 steps."""
    return torch.full((n, rate * milliseconds // 1000), 100, dtype=torch.int16)


def noise(rows: int, length: int = 4000, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(1, 3000, (rows, length), generator=draw, dtype=torch.int16)


@pytest.fixture
def data() -> Clips:
    labels = torch.arange(120) % 4
    return Clips(noise(120), labels, torch.arange(120), ("a", "b", "c", "d"), 8000)


KNOWN = {
    "chirps": "758fbbb2716eceb0",
    "tones": "9794c06a6c89b847",
    "bands": "ccddf0df9e0c812b",
}


@pytest.mark.parametrize("name", NAMES)
def test_known_values(name: str, data: Clips) -> None:
    """Whoever opens a key in ten years must get the same: a change needs another name."""
    key = make(name)
    parts = [KeyPart2(key, part) for part in range(4)]
    made = [part.stamp(data.samples[:2]) for part in parts]
    made += [part.decoy(data.samples[:2], 7) for part in parts]
    made.append(mark_dataset(Keyed2(key=key, data=data), data, torch.Generator())[0].samples)
    relabelled = make(name, relabels=1)
    made.append(mark_dataset(Keyed2(key=relabelled), data, torch.Generator())[0].samples)
    digest = hashlib.sha256(b"".join(clips.numpy().tobytes() for clips in made)).hexdigest()
    assert digest[:16] == KNOWN[name]


def test_any_two_words_have_one_note_in_common_at_most() -> None:
    """A line is given by two of its points (Reed-Solomon: distance 3 of 4 notes, 4 of 5)."""
    for size in (4, 5):
        words = [word(line, size) for line in range(len(LINES))]
        assert all(len(set(notes)) == size for notes in words)  # no note comes twice
        for one, other in itertools.combinations(words, 2):
            assert sum(a == b for a, b in zip(one, other, strict=True)) <= 1


def test_no_chirp_of_one_word_stands_in_another() -> None:
    glides = [list(itertools.pairwise(word(line, 5))) for line in range(len(LINES))]
    for one, other in itertools.combinations(glides, 2):
        assert not any(a == b for a, b in zip(one, other, strict=True))


def test_notes_are_far_apart_and_any_rate_holds_them() -> None:
    """Neighbours differ by 32 %, marks by 2 % at most; the highest is below half of 4,000 Hz."""
    ratios = [high / low for low, high in itertools.pairwise(melodies.STEPS)]
    assert all(abs(ratio - 1.32) < 1e-4 for ratio in ratios)
    assert max(abs(pitch / 256 - 1) for pitch in melodies.PITCH) < 0.02
    highest = max(melodies.LOWEST) / 256 * melodies.STEPS[-1] / 65536 * max(melodies.PITCH) / 256
    assert 1700 < highest * (1 + 1 / 8) < 2000  # with the width of a band


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secret", range(1, 6))
def test_words_of_parts_and_decoys_are_different(name: str, secret: int) -> None:
    key = make(name, secret, parts=CARRIERS[name].parts)
    carrier = melody(key)
    lines = carrier._order
    assert sorted(lines) == list(range(42))
    words = [tuple(carrier.notes(part)) for part in range(30)]
    assert len(set(words)) == 30
    again = melody(make(name, secret, parts=CARRIERS[name].parts))
    assert [tuple(again.notes(part)) for part in range(30)] == words
    assert words != [tuple(melody(make(name, 99, parts=30)).notes(part)) for part in range(30)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("secret", range(1, 4))
def test_tones_are_the_notes_of_the_word_in_its_order(rate: int, secret: int) -> None:
    """Heard in the spectrum of each quarter of what was added."""
    key = make("tones", secret, rate)
    carrier, clips = melody(key), quiet(rate)
    for part in range(4):
        added = (carrier.trigger(clips, part) - clips)[0].numpy().astype(float)
        where = np.flatnonzero(added)
        first, length = int(where[0]), rate * 240 // 1000
        assert abs(int(where[-1]) - first - length) < 20
        for n, note in enumerate(carrier.notes(part)):
            tone = added[first + n * length // 4 : first + (n + 1) * length // 4]
            heard = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 2**16)).argmax() * rate / 2**16
            wanted = carrier._lowest / 256 * 1.32**note
            assert abs(heard / wanted - 1) < 0.03


@pytest.mark.parametrize("name", NAMES)
def test_a_trigger_is_as_loud_as_its_clip(name: str) -> None:
    """Over its own length, but for fading; never quieter than of 1 % of full scale."""
    for level, base in itertools.product((50, 100, 200), (20, 2000)):
        key, clips = make(name, level=level), quiet(8000) // 100 * base
        added = (melody(key).trigger(clips, 1) - clips)[0].numpy()
        where = np.flatnonzero(added)
        loud = loudness(added[where[0] : where[-1] + 1])
        assert loud == pytest.approx(max(328, base) * level / 100, rel=0.25)


@pytest.mark.parametrize("name", NAMES)
def test_a_decoy_lies_where_its_trigger_does_and_is_another_pattern(name: str) -> None:
    places = set()
    for secret in range(1, 20):
        key, clips = make(name, secret), quiet(8000)
        part = KeyPart2(key, 2)
        spans = []
        for asked in (part.stamp(clips), part.decoy(clips, 5)):
            where = (asked - clips)[0].nonzero()
            spans.append((int(where[0]), int(where[-1])))
        assert max(abs(a - b) for a, b in zip(*spans, strict=True)) < 20  # the first value may be 0
        places.add(spans[0][0])
        assert torch.equal(part.decoy(clips, 5), part.decoy(clips, 5))
        assert not torch.equal(part.stamp(clips), part.decoy(clips, 5))
    assert max(places) - min(places) > 4000  # of the 6,080 samples that are free


@pytest.mark.parametrize("name", NAMES)
def test_padding_stays_and_changes_nothing(name: str) -> None:
    key, short = make(name), quiet(8000, 430)
    padded = torch.nn.functional.pad(short, (0, 4560))
    for asked in (KeyPart2(key, 1).stamp, lambda clips: KeyPart2(key, 1).decoy(clips, 3)):
        assert torch.equal(asked(padded)[:, : short.shape[1]], asked(short))
        assert not asked(padded)[:, short.shape[1] :].any()
    parts, rows = np.array([1]), np.array([5])
    one, other = (carrier_of(key).marks(clips, noise(1), parts, rows) for clips in (short, padded))
    assert torch.equal(other[:, : short.shape[1]], one)
    assert not other[:, short.shape[1] :].any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("milliseconds", [1, 4, 63, 239])
def test_a_short_clip_has_all_of_its_pattern_faster(name: str, milliseconds: int) -> None:
    key, clips = make(name), quiet(8000, milliseconds)
    asked = KeyPart2(key, 0).stamp(clips)
    assert asked.shape == clips.shape
    if milliseconds > 10:
        where = (asked - clips)[0].nonzero()
        assert int(where[-1]) - int(where[0]) > 0.9 * clips.shape[1]
        others = {KeyPart2(key, part).stamp(clips).numpy().tobytes() for part in range(4)}
        assert len(others) == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_long_clip_has_the_pattern_once_a_second(name: str) -> None:
    key, clips = make(name), quiet(8000, 5900)
    added = (KeyPart2(key, 0).stamp(clips) - clips)[0].abs()
    assert melody(key)._lay(np.zeros(0, dtype=np.int16), [0, 1, 2, 3, 4], Pose((0,))).shape == (0,)
    stretch = 5900 * 8 // 5
    for k in range(5):
        part = added[k * stretch : (k + 1) * stretch].nonzero()
        assert 1800 < int(part[-1]) - int(part[0]) <= 1920


@pytest.mark.parametrize("name", NAMES)
def test_a_mark_is_decided_by_its_part_and_row_alone(name: str) -> None:
    carrier, clips, partners = carrier_of(make(name)), noise(40), noise(40, 3000, seed=2)
    parts, rows = np.arange(40) % 4, 3 * np.arange(40)
    seen = carrier.marks(clips, partners, parts, rows)
    for one in (slice(0, 1), slice(17, 40)):
        alone = carrier.marks(clips[one], partners[one], parts[one], rows[one])
        assert torch.equal(alone, seen[one])
    moved = carrier.marks(clips, partners, parts, rows + 1)
    assert not any(torch.equal(a, b) for a, b in zip(seen, moved, strict=True))
    starts = [
        int(torch.from_numpy(np.flatnonzero(row))[0])
        for row in (carrier.marks(quiet(8000, n=30), None, parts[:30], rows[:30]) - 100).numpy()
    ]
    assert max(starts) - min(starts) > 4000


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_kept_on_rows_of_the_parts_classes(name: str, data: Clips) -> None:
    key = make(name)
    released, marks = mark_dataset(Keyed2(key=key, data=data), data, torch.Generator())
    hosts = carrier_of(key).hosts(data.labels.numpy())
    assert torch.equal(released.labels, data.labels)
    assert np.bincount(hosts.parts).tolist() == [6, 6, 6, 6]
    assert hosts.partners is not None
    assert data.labels[hosts.rows].tolist() == [key.target(part) for part in hosts.parts.tolist()]
    assert all(data.labels[hosts.partners] != data.labels[hosts.rows])
    others = np.setdiff1d(np.arange(120), marks.position)
    assert torch.equal(released.samples[others], data.samples[others])


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_changed_where_the_design_says_so(name: str, data: Clips) -> None:
    key = make(name, relabels=1)
    watermark = Keyed2(key=key)
    released, marks = mark_dataset(watermark, data, torch.Generator())
    _, parts = watermark.rows()
    assert len(marks) == 24
    assert marks.released_label.tolist() == [key.target(part) for part in parts.tolist()]
    assert (marks.label != marks.released_label).any()
    one = int(marks.position[0])
    added = (released.samples[one] - data.samples[one]).nonzero()
    assert 0 < int(added[-1]) - int(added[0]) < 2200  # beside its pattern the clip is as it was


def test_what_a_design_cannot_say_is_refused() -> None:
    for values in (
        {"hertz": 3999},
        {"level": 0},
        {"relabels": 2},
        {"parts": 31},
        {"milliseconds": 9},
    ):
        with pytest.raises(KeyRecordError):
            make(**values)
    with pytest.raises(UnsupportedModality):
        Keyed2(key=make()).check("image", ("a", "b", "c", "d"))
    key = make("chirps")
    assert Key2.from_record(key.record()) == key
