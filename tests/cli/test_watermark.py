"""Marking a copy: which keys and data belong together, and beacons that are waited for."""

import json

import numpy as np
import pytest

from tests.cli.world import World, data, run, thief
from tests.datasets.formats.writers import write

VALUE = "5a" * 32


def _fails(done, message):
    assert (done.code, done.out) == (1, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    return True


class TestBeacon:
    def test_it_is_waited_for(self, bare):
        later = 2 * 10**9
        first = bare.watermark("--beacon", "drand", later)
        assert first.code == 1
        assert f"waits for round {later} of 'drand'" in first.err
        released = bare.root / "released.npz"
        assert not released.exists()
        assert _fails(bare.watermark(), f"round {later} of 'drand' is not in the key yet")
        commitment = bare.key().commitment
        assert bare.watermark("--beacon-value", VALUE.upper()).code == 0
        assert bare.key().beacon.value == VALUE
        assert bare.key().commitment == commitment
        assert bare.key_file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("value", ["", "soon", "5a5", "5a 5a", "5a" * 15, "5a" * 600])
    def test_a_value_of_a_wrong_form(self, bare, value):
        bare.commit("--beacon", "drand", "123")
        assert _fails(bare.watermark("--beacon-value", value), "is not 16 to 512 bytes in hex")
        assert bare.key().beacon.value == ""

    def test_a_second_value_is_refused(self, bare):
        bare.commit("--beacon", "drand", "123")
        assert bare.watermark("--beacon-value", VALUE).code == 0
        (bare.root / "released.npz").unlink()
        assert _fails(bare.watermark("--beacon-value", "aa" * 32), "holds another beacon value")
        assert bare.watermark("--beacon-value", VALUE).code == 0

    @pytest.mark.parametrize(
        ("value", "words"),
        [("00" * 32, "give the round's signature"), ("00" * 48, "not that of its round")],
    )
    def test_a_value_that_is_not_the_rounds_signature(self, bare, value, words):
        bare.commit("--beacon", "drand quicknet", 2 * 10**9)  # in the 23rd century
        assert _fails(bare.watermark("--beacon-value", value), words)
        assert bare.key().beacon.value == ""

    def test_a_key_without_a_beacon_takes_no_value(self, bare):
        bare.commit()
        assert _fails(bare.watermark("--beacon-value", VALUE), "names no beacon")

    def test_verification_needs_the_value_and_states_it(self, bare, no_page):
        bare.commit("--beacon", "drand", "123")
        early = bare.verify(bare.root / "nobody.yaml")
        assert _fails(early, "is not in the key yet")
        bare.watermark("--beacon-value", VALUE)
        assert bare.verify(bare.recorded(thief)).code == 0
        assert bare.evidence()["key"]["beacon"] == {
            "source": "drand",
            "round": 123,
            "value": VALUE,
        }
        assert "If the value is not that round" in bare.evidence()["key"]["grinding"]
        bare.open()
        assert bare.check().code == 6, "the beacon's value is only stated"


class TestKeyAndData:
    @pytest.mark.parametrize("change", ["pixel", "label", "order", "rows"])
    def test_other_data(self, world, change):
        changed = data()
        if change == "pixel":
            changed.samples[150, 1, 3, 4] ^= 1
        elif change == "label":
            changed.labels[150] = (changed.labels[150] + 1) % 10
        elif change == "order":
            order = np.arange(200)
            order[[150, 160]] = order[[160, 150]]
            changed = changed.take(order)
        else:
            changed = changed.take(np.arange(199))
        world.source.unlink()
        (world.root / "released.npz").unlink()
        write(changed, world.source, format="npz")
        message = "has 199 rows" if change == "rows" else "another Merkle root"
        assert _fails(world.watermark(), message)
        assert not (world.root / "released.npz").exists()

    def test_a_key_of_another_dataset(self, world):
        write(data(seed=5), world.root / "other.npz", format="npz")
        released = world.root / "other-released.npz"
        where = ("--key", world.key_file, "--pool", world.pool, "--out", released)
        assert _fails(run("watermark", world.root / "other.npz", *where), "another Merkle root")
        assert not released.exists()

    def test_what_is_there_is_not_written_over(self, world):
        before = (world.root / "released.npz").read_bytes()
        assert _fails(world.watermark(), "exists")
        assert (world.root / "released.npz").read_bytes() == before


class TestKeyFile:
    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("secret", "00" * 32, "it was altered"),
            ("salt", "00" * 32, "it was altered"),
            ("commitment", "00" * 32, "it was altered"),
            ("secret", "not hexadecimal", "the secret is not hexadecimal"),
            ("secret", "00", "the secret has 1 bytes"),
            ("form", "datadeed/key/1", "use the version that made it"),
            ("form", "datadeed/key/3", "use the version that made it"),
            ("body", None, "is incomplete or of another form"),
            ("body", [], "is incomplete or of another form"),
        ],
    )
    def test_an_altered_key(self, world, name, value, message):
        self._alter(world, lambda record: record.__setitem__(name, value))
        assert _fails(world.watermark(), message)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("parts", 3),
            ("least_effect", 0.1),
            ("targets", [0, 1]),
            ("classes", ["a", "b"]),
            ("classes", 7),
            ("rate", "much"),
            ("odd", 1),
        ],
    )
    def test_an_altered_design(self, world, name, value):
        self._alter(world, lambda record: record["body"]["design"].__setitem__(name, value))
        assert _fails(world.watermark(), "")

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"form": NaN}', "\x00", "[" * 100_000])
    def test_no_key_at_all(self, world, text):
        world.key_file.write_text(text)
        world.key_file.chmod(0o600)
        assert _fails(world.watermark(), "is not a secret's file or is damaged")

    def test_a_key_that_others_can_read(self, world):
        world.key_file.chmod(0o644)
        for done in (world.watermark(), world.verify(world.root / "thief.yaml"), world.open()):
            assert _fails(done, "can be read or changed by others: chmod 600")

    def test_a_folder_in_its_place(self, world):
        world.key_file.unlink()
        world.key_file.mkdir()
        assert _fails(world.watermark(), "key.json")

    def test_a_key_beside_the_data_would_be_copied_into_the_release(self, tmp_path):
        world = World(tmp_path, "imagefolder").make()
        world.commit()
        inside = world.source / "notes/key.json"
        inside.parent.mkdir()
        world.key_file.rename(inside)
        where = ("--key", inside, "--pool", world.pool, "--out", tmp_path / "released")
        assert _fails(run("watermark", world.source, *where), "which is given away")
        assert not (tmp_path / "released").exists()

    @staticmethod
    def _alter(world, change):
        content = json.loads(world.key_file.read_text())
        change(content["value"])
        world.key_file.write_text(json.dumps(content))
