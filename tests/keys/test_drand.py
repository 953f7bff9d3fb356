import hashlib
import importlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import KeyRecordError
from datadeed.keys import drand
from datadeed.keys.drand import randomness, round_at, time_of

DEPTH = sys.getrecursionlimit()
curve = importlib.import_module("py_ecc.optimized_bls12_381")
points = importlib.import_module("py_ecc.bls.point_compression")
subgroup_check = importlib.import_module("py_ecc.bls.g2_primitives").subgroup_check
hash_to_G1 = importlib.import_module("py_ecc.bls.hash_to_curve").hash_to_G1
sys.setrecursionlimit(DEPTH)  # importing py_ecc sets another, for all tests that follow

# As the network published them.
ROUNDS = {
    123: "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482"
    "e26cd02df835d3546d23c4b13e0dfc92",
    1000: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e39",
    10024141: "8c87caf26bb4f5e9fdfad5ddf739ff8683344f8cf04a8c381225ff067557b5d9"
    "d51937eed765fcef21971bf5ddef44bb",
}
VALUE_OF_1000 = "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"
REAL = bytes.fromhex(ROUNDS[1000])
LAST = 2**63 - 1
LAST_DATED = (datetime.max.replace(tzinfo=UTC) - drand.GENESIS) // drand.PERIOD + 1


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def packed(value: int) -> bytes:
    return value.to_bytes(48, "big")


def refusal(round: int, signature: object) -> str:
    """The one line that refuses a signature."""
    with pytest.raises(KeyRecordError) as raised:
        randomness(round, signature)
    message = str(raised.value)
    assert "\n" not in message
    return message


class TestRealRounds:
    @pytest.mark.parametrize("round", ROUNDS)
    def test_a_published_signature_gives_its_hash(self, round):
        signature = bytes.fromhex(ROUNDS[round])
        assert randomness(round, signature) == hashlib.sha256(signature).digest()

    def test_the_value_is_the_published_one(self):
        assert randomness(1000, REAL).hex() == VALUE_OF_1000

    @pytest.mark.parametrize("round", [999, 1001, 1000 + 2**32, 10024141])
    def test_a_signature_is_of_its_round_alone(self, round):
        assert "was not made with" in refusal(round, REAL)

    def test_another_keys_signature_is_refused(self):
        message = hashlib.sha256((1000).to_bytes(8, "big")).digest()
        point = curve.multiply(hash_to_G1(message, drand._DST, hashlib.sha256), 12345)
        assert "was not made with" in refusal(1000, packed(points.compress_G1(point)))

    def test_the_constants_are_those_that_the_chains_hash_covers(self):
        group = "f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"
        period, genesis = int(drand.PERIOD.total_seconds()), int(drand.GENESIS.timestamp())
        info = period.to_bytes(4, "big") + genesis.to_bytes(8, "big") + drand.PUBLIC_KEY
        info += bytes.fromhex(group) + b"quicknet"
        assert hashlib.sha256(info).hexdigest() == drand.CHAIN_HASH

    def test_the_public_key_is_in_its_subgroup(self):
        halves = number(drand.PUBLIC_KEY[:48]), number(drand.PUBLIC_KEY[48:])
        key = points.decompress_G2(halves)
        assert not curve.is_inf(key)
        assert subgroup_check(key)


class TestForgedPoints:
    def test_every_flipped_bit_is_refused(self):
        messages = {bit: refusal(1000, packed(number(REAL) ^ 1 << bit)) for bit in range(384)}
        signs = [bit for bit, message in messages.items() if "was not made with" in message]
        assert signs == [381]  # the mirrored point is the only one that a pairing has to refuse

    @pytest.fixture(scope="class")
    def small(self):
        """The x, below 10, of a point of the curve outside the subgroup."""
        for x in range(1, 10):
            try:
                point = points.decompress_G1(2**383 + x)
            except ValueError:
                continue
            if not subgroup_check(point):
                return x
        raise AssertionError("no point outside the subgroup")

    @pytest.fixture(scope="class")
    def torsion(self, small):
        """A point whose order divides the cofactor: r times one outside the subgroup."""
        return curve.multiply(points.decompress_G1(2**383 + small), curve.curve_order)

    def test_a_signature_plus_torsion_passes_the_pairing_and_is_refused(self, torsion):
        forged = curve.add(points.decompress_G1(number(REAL)), torsion)
        # Without the subgroup check it would be a second value of the round.
        assert curve.is_on_curve(forged, curve.b)
        assert curve.pairing(curve.G2, forged) == curve.pairing(
            curve.G2, points.decompress_G1(number(REAL))
        )
        assert "outside the group" in refusal(1000, packed(points.compress_G1(forged)))

    def test_torsion_alone_is_refused(self, torsion):
        assert "outside the group" in refusal(1000, packed(points.compress_G1(torsion)))

    def test_infinity_is_refused_in_every_form(self):
        assert "outside the group" in refusal(1000, packed(0b110 << 381))
        for flags in (0b000, 0b001, 0b010, 0b011, 0b100, 0b101, 0b111):
            assert "not a point" in refusal(1000, packed(flags << 381))

    @pytest.mark.parametrize("flags", [0b000, 0b001, 0b010, 0b011, 0b110, 0b111])
    def test_other_flags_are_refused(self, flags):
        x = number(REAL) % 2**381
        assert "not a point" in refusal(1000, packed((flags << 381) + x))

    def test_an_x_beyond_the_field_is_refused(self, small):
        for x in (small + curve.field_modulus, curve.field_modulus, 2**381 - 1):
            assert x < 2**381
            for flags in (0b100, 0b101):
                assert "not a point" in refusal(1000, packed((flags << 381) + x))

    def test_points_outside_the_subgroup_are_refused(self, small):
        for flags in (0b100, 0b101):
            assert "outside the group" in refusal(1000, packed((flags << 381) + small))
            assert "not a point" in refusal(1000, packed(flags << 381))  # (0, 2), of order 3

    def test_uncompressed_and_other_lengths_are_refused(self):
        x, y = curve.normalize(points.decompress_G1(number(REAL)))
        whole = packed(x.n) + packed(y.n)
        wrong = [whole, whole[:48], REAL[:47], REAL + b"\0", b"\0" + REAL, b"", REAL + REAL]
        for data in wrong:
            refusal(1000, data)
        assert "not 48 bytes" in refusal(1000, whole)

    @pytest.mark.parametrize("value", [None, ROUNDS[1000], bytearray(REAL), list(REAL), 5])
    def test_what_is_no_bytes_is_refused(self, value):
        assert "not 48 bytes" in refusal(1000, value)

    @given(st.integers(0, 2**381 - 1), st.sampled_from([0b100, 0b101]))
    @settings(max_examples=50)
    def test_any_x_is_refused(self, x, flags):
        refusal(1000, packed((flags << 381) + x))

    @given(st.integers(1, curve.curve_order - 1))
    @settings(max_examples=5)
    def test_any_point_of_the_group_is_refused(self, factor):
        point = packed(points.compress_G1(curve.multiply(curve.G1, factor)))
        assert "was not made with" in refusal(1000, point)


class TestRounds:
    @pytest.mark.parametrize("round", [0, -1, 2**63, True, 1.0, 1000.0, "1000", None, float("nan")])
    def test_what_is_no_round_is_refused(self, round):
        assert "no whole number from 1" in refusal(round, REAL)
        with pytest.raises(KeyRecordError, match="no whole number from 1"):
            time_of(round)

    def test_a_round_too_long_to_print_is_refused(self):
        assert "no whole number from 1" in refusal(10**5000, REAL)

    def test_the_last_round_has_no_date_but_is_a_round(self):
        assert time_of(LAST_DATED).year == 9999
        for round in (LAST_DATED + 1, LAST):
            with pytest.raises(KeyRecordError, match="after the year 9999"):
                time_of(round)
        assert "was not made with" in refusal(LAST, REAL)

    def test_known_times(self):
        assert time_of(1) == datetime(2023, 8, 23, 15, 9, 27, tzinfo=UTC)
        assert time_of(1000).timestamp() == 1692803367 + 2997
        assert time_of(1).utcoffset() == timedelta(0)

    def test_the_edge_at_the_genesis(self):
        tick = timedelta(microseconds=1)
        assert round_at(datetime.min.replace(tzinfo=UTC)) == 1
        assert round_at(drand.GENESIS - tick) == 1
        assert round_at(drand.GENESIS) == 2
        assert round_at(drand.GENESIS + drand.PERIOD - tick) == 2
        assert round_at(drand.GENESIS + drand.PERIOD) == 3

    @given(st.integers(1, LAST_DATED - 1))
    def test_a_rounds_own_time_is_the_next_ones_turn(self, round):
        tick = timedelta(microseconds=1)
        assert round_at(time_of(round)) == round + 1
        assert round_at(time_of(round) - tick) == round
        assert time_of(round + 1) - time_of(round) == drand.PERIOD

    zones = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
    moments = st.datetimes(
        datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones, allow_imaginary=False
    )

    @given(moments)
    def test_a_round_is_the_first_one_later(self, moment):
        round = round_at(moment)
        assert time_of(round) > moment
        assert round == 1 or time_of(round - 1) <= moment

    @given(moments, moments)
    def test_a_later_moment_has_no_earlier_round(self, one, other):
        assert (round_at(one) <= round_at(other)) or one > other

    def test_a_moment_without_a_time_zone_is_refused(self):
        with pytest.raises(KeyRecordError, match="no time zone"):
            round_at(datetime(2026, 1, 1))


def test_without_the_package_its_extra_is_named_and_times_are_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "py_ecc", None)
    assert "install datadeed[evidence]" in refusal(1000, REAL)
    assert round_at(time_of(7)) == 8


def test_a_check_leaves_the_process_as_safe_from_deep_texts_as_before():
    program = f"""
import json, sys
from datadeed.keys.drand import randomness
limit = sys.getrecursionlimit()
value = randomness(1000, bytes.fromhex({ROUNDS[1000]!r}))
try:
    json.loads("[" * 10**6)
except RecursionError:
    print(json.dumps([value.hex(), sys.getrecursionlimit() == limit]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [VALUE_OF_1000, True]
