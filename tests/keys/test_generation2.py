"""Keys of the second generation: a record is taken as it was written, or refused."""

import copy
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import Design2, Key2, key_from_record
from datadeed.keys.key import Beacon, Design, Extent, Key

DESIGN = Design2(classes=("cat", "dog", "eel", "fox"), channels=3, targets=(0, 2, 3), parts=4)
DATA, POOL = Extent(100, "ab" * 32), Extent(200, "cd" * 32)
KNOWN = {
    "commitment": "643062b377b235ae60646b311b2f8e116da6ec2b207e0223c798cb4c2793bf4d",
    "targets": [3, 0, 2, 2, 3, 3, 3, 0],
    "pairs": [7, 6, 0, 1, 3, 4, 2, 5],
}


def make(secret: int = 1, design: Design2 = DESIGN, **values: Any) -> Key2:
    return Key2(bytes([secret] * 32), bytes(32), design, DATA, POOL, **values)


def with_beacon() -> Key2:
    return make(beacon=Beacon("drand quicknet", 7)).with_beacon("AB12")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values in JSON that hold no others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in inner:
        nested = isinstance(item, dict | list)
        yield from leaves(item, (*path, name)) if nested else [(*path, name)]


def put(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


def others(value: Any) -> list[Any]:
    """Values near a leaf's, of its own type and of others."""
    near: list[Any] = [None, "", [], {}]
    if isinstance(value, str):
        return [*near, value + "0", value + " ", value.upper() + "A", f" {value}"]
    return [*near, value + 1, value - 1, value + 0.5, str(value)]


def test_known_values_of_generator_2() -> None:
    """Whoever opens a key in ten years must get the same: a change needs another generator."""
    key = make()
    assert key.commitment == KNOWN["commitment"]
    assert [key.target(part) for part in range(8)] == KNOWN["targets"]
    assert key.permutation("pairs", count=8).tolist() == KNOWN["pairs"]


@pytest.mark.parametrize("key", [make(), with_beacon(), make(beacon=Beacon("drand quicknet", 7))])
def test_a_record_gives_its_key_again(key: Key2) -> None:
    record = json.loads(json.dumps(key.record()))
    assert Key2.from_record(record) == key
    assert key_from_record(record) == key
    assert Key2.from_record(record).record() == record


@pytest.mark.parametrize("path", sorted(leaves(with_beacon().record()), key=str), ids=str)
def test_an_altered_leaf_is_refused(path: tuple[Any, ...]) -> None:
    key = with_beacon()
    record = key.record()
    value: Any = record
    for name in path:
        value = value[name]
    for other in others(value):
        try:
            found = key_from_record(put(record, path, other))
        except KeyRecordError:
            continue
        # The commitment cannot hold a value that comes after it: another one is another key.
        assert path == ("beacon_value",)
        assert found.beacon != key.beacon


@pytest.mark.parametrize("path", [(), ("body",), ("body", "design"), ("body", "design", "carrier")])
def test_a_field_more_or_less_is_refused(path: tuple[str, ...]) -> None:
    record = with_beacon().record()
    with pytest.raises(KeyRecordError):
        Key2.from_record(put(record, (*path, "further"), 1))
    place: Any = record
    for name in path:
        place = place[name]
    for name in place:
        less = copy.deepcopy(record)
        here: Any = less
        for step in path:
            here = here[step]
        del here[name]
        with pytest.raises(KeyRecordError):
            Key2.from_record(less)


@pytest.mark.parametrize("record", [None, [], "key", 7, {}, {"form": "datadeed/key/2"}])
def test_what_is_no_record_is_refused(record: Any) -> None:
    with pytest.raises(KeyRecordError):
        key_from_record(record)


def test_a_record_of_the_first_generation_is_read_as_before() -> None:
    design = Design(classes=("cat", "dog"), channels=1, parts=4)
    first = Key(bytes(32), bytes(32), design, DATA, POOL)
    found = key_from_record(json.loads(json.dumps(first.record())))
    assert type(found) is Key
    assert found == first
    assert found.seed == first.seed
    for record, kind in ((first.record(), Key2), (make().record(), Key)):
        with pytest.raises(KeyRecordError):
            kind.from_record(record)


@given(
    st.integers(0, 255),
    st.sets(st.integers(0, 9), min_size=2),
    st.integers(0, 999),
)
def test_targets_are_among_the_given_classes(secret: int, given_: set[int], part: int) -> None:
    design = dataclasses.replace(
        DESIGN, classes=tuple("abcdefghij"), targets=tuple(sorted(given_)), parts=1000
    )
    assert make(secret, design).target(part) in given_


def test_targets_are_drawn_uniformly() -> None:
    """4,000 draws of three: each within five standard errors of a third."""
    counts = Counter(make(secret).target(part) for secret in range(40) for part in range(100))
    assert set(counts) == {0, 2, 3}
    assert all(abs(n - 4000 / 3) < 5 * np.sqrt(4000 * 2 / 9) for n in counts.values())


def test_the_targets_given_decide_nothing_else() -> None:
    """Same secret, other targets: another commitment, hence other streams throughout."""
    other = make(design=dataclasses.replace(DESIGN, targets=(0, 1, 2, 3)))
    assert other.commitment != make().commitment
    assert other.seed != make().seed


def test_printing_a_key_shows_no_secret() -> None:
    key = make(7)
    assert key.secret.hex() not in repr(key)
    assert "secret" not in json.dumps(key.public())
    assert key.public()["generator"] == "datadeed-keyed/2"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"targets": (0,)}, "two classes or more"),
        ({"targets": (2, 0)}, "ascending"),
        ({"targets": (0, 0)}, "none twice"),
        ({"targets": (0, 4)}, "from 0 to 3"),
        ({"targets": (-1, 0)}, "from 0 to 3"),
        ({"targets": (0, True)}, "a target is True"),
        ({"classes": ("a", "a")}, "all different"),
        ({"classes": ("a",)}, "two names"),
        ({"channels": 2}, "1 or 3"),
        ({"parts": 1}, "from 2 to 1000"),
        ({"parts": 2.0}, "whole number"),
        ({"alpha": 0}, "between 0 and 1"),
        ({"least_effect": 1.0}, "between 0 and 1"),
        ({"rate": float("nan")}, "between 0 and 1"),
        ({"budget": 0}, "budget"),
        ({"answers": "logits"}, "labels or scores"),
        ({"hosts": "chosen"}, "drawn"),
        ({"carrier": {"name": "wave"}}, "choose patch"),
        ({"carrier": {"name": "patch", "opacity": 0}}, "from 1 to 255"),
        ({"carrier": {"name": "patch"}}, "nothing else"),
        ({"carrier": {"name": "patch", "opacity": 9, "blur": 1}}, "nothing else"),
    ],
)
def test_a_design_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(KeyRecordError, match=words):
        dataclasses.replace(DESIGN, **values)


def test_every_part_must_get_a_mark() -> None:
    assert DESIGN.marks(100) == 5
    with pytest.raises(KeyRecordError, match="3 marks for 4 parts"):
        DESIGN.marks(60)
