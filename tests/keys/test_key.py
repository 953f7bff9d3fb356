"""Keys: what is committed cannot change, and everything follows from the seed."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import KeyRecordError
from datadeed.keys.key import Beacon, Design, Extent, Key

DESIGN = Design(classes=("cat", "dog", "eel"), channels=3, parts=4, rate=0.1)
DATA, POOL = Extent(100, "ab" * 32), Extent(200, "cd" * 32)
KNOWN = {
    "commitment": "de48fd5a04f28498bef772077374b31fae7953df468274c73dcd34f7dd3a979b",
    "seed": "1d3d66c813df22e739e894ae6109fc39bcd70ff0a2c4be504ca8dab9736d1115",
    "words": [3887706367978248852],
    "permutation": [1, 3, 7, 0, 5, 2, 6, 4],
    "targets": [1, 2, 2, 0, 1, 0, 1, 0],
}


def make(secret: int = 1, **values: object) -> Key:
    chosen = {"design": DESIGN, "data": DATA, "pool": POOL, **values}
    return Key(bytes([secret] * 32), bytes(32), **chosen)


def test_the_commitment_is_the_hash_that_the_docstring_gives():
    key = make()
    opening = {
        "body": key.body(),
        "salt": "00" * 32,
        "secret_sha256": hashlib.sha256(bytes([1] * 32)).hexdigest(),
    }
    text = json.dumps(opening, sort_keys=True, separators=(",", ":"))
    wanted = hashlib.sha256(b"datadeed commitment 1\0" + text.encode()).hexdigest()
    assert key.commitment == wanted


def test_known_values_of_generator_1():
    """Whoever opens a key in ten years must get the same: a change needs another generator."""
    key = make()
    assert key.commitment == KNOWN["commitment"]
    assert key.seed.hex() == KNOWN["seed"]
    assert key.words("role", 7, count=1).tolist() == KNOWN["words"]
    assert key.permutation("rows", count=8).tolist() == KNOWN["permutation"]
    assert [key.integer("target", part, below=3) for part in range(8)] == KNOWN["targets"]


@pytest.mark.parametrize(
    "change",
    [
        {"secret": 2},
        {"data": Extent(101, "ab" * 32)},
        {"pool": Extent(200, "ce" * 32)},
        {"design": dataclasses.replace(DESIGN, alpha_key=1e-5)},
        {"design": dataclasses.replace(DESIGN, budget=201)},
        {"beacon": Beacon("drand quicknet", 9)},
    ],
)
def test_every_decision_is_committed(change):
    assert make(**change).commitment != make().commitment


def test_a_new_key_is_random_and_does_not_print_its_secret():
    keys = [Key.new(DESIGN, DATA, POOL) for _ in range(2)]
    assert keys[0].commitment != keys[1].commitment
    for shown in (repr(keys[0]), str(keys[0]), json.dumps(keys[0].public())):
        assert keys[0].secret.hex() not in shown
        assert keys[0].salt.hex() not in shown


class TestBeacon:
    def test_nothing_is_derived_before_the_round_is_out(self):
        key = make(beacon=Beacon("drand quicknet", 9))
        with pytest.raises(KeyRecordError, match="round 9 of 'drand quicknet' is not in the key"):
            _ = key.seed

    def test_the_value_decides_but_is_not_committed(self):
        key = make(beacon=Beacon("drand quicknet", 9))
        first, second = key.with_beacon("aa"), key.with_beacon("BB")
        assert first.commitment == second.commitment == key.commitment
        assert first.seed != second.seed
        assert second.seed == key.with_beacon("bb").seed

    def test_a_value_cannot_be_added_to_a_key_that_named_no_round(self):
        with pytest.raises(KeyRecordError, match="names no beacon"):
            make().with_beacon("aa")

    @pytest.mark.parametrize("value", ["", "xyz", "a"])
    def test_a_value_is_hexadecimal(self, value):
        with pytest.raises(KeyRecordError, match="the beacon's value"):
            make(beacon=Beacon("drand", 9)).with_beacon(value)


class TestRecord:
    @pytest.mark.parametrize("beacon", [None, Beacon("nist", 3), Beacon("nist", 3, "ab")])
    def test_round_trip_through_json(self, beacon):
        key = make(beacon=beacon)
        assert Key.from_record(json.loads(json.dumps(key.record()))) == key

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("secret",), "02" * 32),
            (("salt",), "02" * 32),
            (("body", "design", "rate"), 0.2),
            (("body", "design", "classes"), ["cat", "eel", "dog"]),
            (("body", "data", "merkle_root"), "00" * 32),
            (("body", "pool", "rows"), 7),
            (("commitment",), "00" * 32),
            (("body", "extra"), 1),
        ],
    )
    def test_any_change_is_seen(self, path, value):
        record = make().record()
        place = record
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        with pytest.raises(KeyRecordError, match="altered"):
            Key.from_record(record)

    @pytest.mark.parametrize("name", list(make().record()))
    def test_nothing_may_be_missing(self, name):
        record = make().record()
        del record[name]
        with pytest.raises(KeyRecordError):
            Key.from_record(record)

    @pytest.mark.parametrize("record", [None, [], "x", {"form": "datadeed/key/1", "body": 3}])
    def test_rubbish(self, record):
        with pytest.raises(KeyRecordError, match="incomplete or of another form"):
            Key.from_record(record)

    @pytest.mark.parametrize("value", ["xyz", 5, None, "abc"])
    def test_a_beacon_value_that_is_none(self, value):
        record = make(beacon=Beacon("nist", 3, "ab")).record()
        with pytest.raises(KeyRecordError, match="the beacon's value"):
            Key.from_record({**record, "beacon_value": value})

    def test_another_version_is_named(self):
        record = make().record()
        record["body"]["generator"] = "datadeed-keyed/2"
        with pytest.raises(KeyRecordError, match=r"'datadeed-keyed/2'.*use the version"):
            Key.from_record(record)

    @pytest.mark.parametrize("secret", ["00", "zz" * 32, 5])
    def test_a_secret_of_another_length(self, secret):
        with pytest.raises(KeyRecordError, match="the secret"):
            Key.from_record({**make().record(), "secret": secret})


class TestDesign:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("parts", 0),
            ("parts", 2.0),
            ("parts", True),
            ("rate", 0),
            ("rate", 1.5),
            ("rate", float("nan")),
            ("alpha_key", 1),
            ("epsilon", -0.1),
            ("beta", 0),
            ("beta", float("inf")),
            ("channels", 4),
            ("opacity", 256),
            ("null_rate", "a quarter"),
        ],
    )
    def test_a_value_out_of_range_is_named(self, name, value):
        with pytest.raises(KeyRecordError, match=f"^{name} is"):
            dataclasses.replace(DESIGN, **{name: value})

    @pytest.mark.parametrize("classes", [(), ("cat",), ("cat", "cat")])
    def test_classes(self, classes):
        with pytest.raises(KeyRecordError, match="classes"):
            dataclasses.replace(DESIGN, classes=classes)

    def test_every_part_gets_a_mark(self):
        assert DESIGN.marks(100) == 10
        assert DESIGN.marks(40) == 4
        with pytest.raises(KeyRecordError, match="3 marks for 4 parts"):
            DESIGN.marks(39)


class TestStreams:
    def test_roles_and_numbers_are_independent(self):
        key = make()
        names = [("a",), ("b",), ("a", 1), ("a", 11), ("a", 1, 1)]
        words = {key.words(*name, count=1)[0] for name in names}
        assert len(words) == len(names)

    @given(st.integers(1, 200))
    def test_a_permutation_holds_every_number_once(self, count):
        assert sorted(make().permutation("rows", count=count)) == list(range(count))

    def test_integers_are_uniform(self):
        key = make()
        drawn = np.array([key.integer("target", number, below=7) for number in range(7000)])
        counts = np.bincount(drawn, minlength=7)
        # Chi-square with 6 degrees of freedom: 22.5 has probability 0.001.
        assert ((counts - 1000) ** 2 / 1000).sum() < 22.5

    def test_permutations_are_uniform(self):
        key = make()
        orders = [tuple(key.permutation("p", n, count=3)) for n in range(6000)]
        counts = np.array([orders.count(order) for order in set(orders)])
        assert len(counts) == 6
        assert ((counts - 1000) ** 2 / 1000).sum() < 20.5  # 5 degrees of freedom: 0.001
