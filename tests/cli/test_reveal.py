"""Checking evidence with an opened key: what was tampered with is found."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from datadeed.datasets.formats.registry import read
from tests.cli.world import World, forge, run, thief
from tests.datasets.formats.writers import write

pytestmark = pytest.mark.usefixtures("no_page")
HOLDS = 6  # every check passed, and premises are stated or missing


@pytest.fixture(scope="module")
def _proved(_marked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("proved") / "world"
    shutil.copytree(_marked.root, folder)
    world = World(folder)
    assert world.verify(world.root / "thief.yaml").code == 0
    assert world.open().code == 0
    assert world.check().code == HOLDS
    return world


@pytest.fixture
def proved(_proved, tmp_path):
    """A world with a claim, unsigned, and an opened key."""
    shutil.copytree(_proved.root, tmp_path / "world")
    return World(tmp_path / "world")


def failed(done):
    """The names of the checks that failed; the exit code must say so."""
    names = [check["what"] for check in done.json()["checks"] if check["word"] == "FAILED"]
    assert done.code == (1 if names else HOLDS)
    assert done.json()["passed"] is not bool(names)
    assert done.err == ""
    return names


def test_what_matters_comes_first(proved):
    lines = proved.check().out.splitlines()
    assert lines[0].startswith("every check that was made passed; the verdict holds if")
    assert re.match(r"[0-9]+ fields are stated by the accuser", lines[-2])
    assert lines[-1] == "--details lists them"
    more = proved.check("--details").out.splitlines()
    assert more[: len(lines) - 1] == lines[:-1]
    assert len(more) == len(lines) - 1 + int(lines[-2].split()[0])


class TestTamperedEvidence:
    @pytest.mark.parametrize(
        ("path", "value", "what"),
        [
            ("key_layer.log_e", 50.0, ["answers"]),
            ("key_layer.p_value", 1e-9, ["answers"]),
            ("key_layer.images", 5, ["answers"]),
            ("key_layer.looks.0.1", 5.0, ["answers"]),
            ("key_layer.parts.0.target", 99, ["answers"]),
            ("effect.rate_low", 0.99, ["answers"]),
            ("key_layer.passed", False, ["log", "key", "answers", "clean"]),  # no claim then
            ("curve.3.log_e", 9.0, ["answers"]),
            ("findings", ["it is odd"], ["answers"]),
            ("multiplicity.suspects", 20, ["answers"]),
            ("multiplicity.keys", 20, ["answers"]),
            ("multiplicity.bar", 10.0, ["answers"]),
            ("verdict.word", "INCONCLUSIVE", ["answers"]),
            ("verdict.reason", "it is obvious", ["answers"]),
            ("queries.block", 7, ["answers"]),
            ("queries.failed", 1, ["answers"]),
            ("suspect.groups", [[0, 1]], ["answers", "clean"]),
            ("suspect.fingerprint", "ab" * 32, ["answers", "clean"]),
            ("chain.head", "ab" * 32, ["log", "answers"]),
            ("chain.anchor", "ab" * 32, ["log", "answers", "clean"]),
            ("chain.rows", 5, ["log", "answers"]),
            ("design.least_effect", 0.1, ["key"]),
            ("design.classes.0", "cat", ["key"]),
            ("data.merkle_root", "ab" * 32, ["key"]),
            ("pool.rows", 5, ["key"]),
            ("key.commitment", "ab" * 32, ["key"]),
            ("key.beacon", {"source": "drand", "round": 1, "value": "00" * 32}, ["key"]),
            ("made_at", "yesterday", ["log", "key", "answers", "clean"]),
        ],
    )
    def test_a_changed_field(self, proved, path, value, what):
        evidence = proved.evidence()
        place, *names = evidence, *path.split(".")
        *way, last = [int(name) if name.isdecimal() else name for name in names]
        for name in way:
            place = place[name]
        assert place[last] != value
        place[last] = value
        (proved.out / "evidence.json").write_text(json.dumps(evidence))
        assert failed(proved.check("--json")) == what

    @pytest.mark.parametrize("name", ["evidence.json", "queries.parquet"])
    @pytest.mark.parametrize("content", [None, b"", b"{}", b"[" * 10**6])
    def test_a_file_that_is_missing_or_none(self, proved, name, content):
        (proved.out / name).unlink()
        if content is not None:
            (proved.out / name).write_bytes(content)
        assert "answers" in failed(proved.check("--json"))


class TestForgedLog:
    def test_a_log_chained_anew_passes_as_it_was(self, proved):
        """So that the other tests of this class fail for the reason they name."""
        forge(proved, lambda records: records)
        assert failed(proved.check("--json")) == []

    def test_images_with_other_triggers(self, proved):
        """Optimised triggers would move any model; their digests are not the key's."""

        def change(records):
            at = next(row for row, record in enumerate(records) if record.purpose == "block")
            return [
                *records[:at],
                dataclasses.replace(records[at], question="ab" * 32),
                *records[at + 1 :],
            ]

        forge(proved, change)
        done = proved.check("--json")
        assert failed(done) == ["answers"]
        assert "is about another question than the key's part" in done.out

    @pytest.mark.parametrize("case", ["label", "removed", "added", "failed", "no class"])
    def test_other_answers(self, proved, case):
        def change(records):
            last = records[-1]
            label = (last.labels[0] + 1) % 10
            other = {
                "label": [dataclasses.replace(last, labels=(label,))],
                "removed": [],
                "added": [last, dataclasses.replace(last, row=(last.row + 1) % 100)],
                "failed": [dataclasses.replace(last, labels=(), error="asleep")],
                "no class": [dataclasses.replace(last, labels=(99,))],
            }
            return [*records[:-1], *other[case]]

        forge(proved, change)
        assert "answers" in failed(proved.check("--json"))

    def test_the_order_of_questions(self, proved):
        """Each stands where the key asks it: a suspect may have answered by what came before."""
        forge(proved, lambda records: [*records[:17], *reversed(records[17:])])
        assert failed(proved.check("--json")) == ["answers"]


class TestSignature:
    @pytest.fixture
    def signed(self, world):
        done = world.verify(world.root / "thief.yaml", "--sign", world.root / "safe/signer.json")
        assert done.code == 0
        world.open()
        return world

    def test_without_the_public_key_it_stays_open_who_signed(self, signed):
        done = signed.check("--json")
        assert failed(done) == []
        assert "whose it is remains open" in done.out

    def test_another_signer(self, signed):
        pem = (signed.out / "public-key.pem").read_bytes()
        (signed.root / "safe/signer.json").unlink()
        signed.verify(signed.root / "thief.yaml", "--sign", signed.root / "safe/signer.json")
        (signed.root / "owner.pem").write_bytes(pem)
        assert failed(signed.check("--json")) == []
        assert failed(signed.check("--public-key", signed.root / "owner.pem", "--json")) == [
            "signature"
        ]

    @pytest.mark.parametrize("name", ["report.html", "evidence.json", "attestation.json"])
    def test_a_changed_file(self, signed, name):
        path = signed.out / name
        path.write_text(path.read_text() + " ")
        expected = [] if name == "attestation.json" else ["signature"]  # white space of its JSON
        assert failed(signed.check("--json")) == expected


class TestOpening:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"null",
            b"[]",
            b'{"form": "datadeed/opening/1"}',
            b'{"form": "datadeed/opening/1", "key": []}',
            b'{"form": "datadeed/opening/1", "key": {"form": "datadeed/key/2", "body": []}}',
            b'{"form": "datadeed/opening/2", "key": {}}',
            b"\xff\xfe",
            b"[" * 10**6,
        ],
    )
    def test_what_is_none(self, proved, content):
        (proved.root / "opening.json").write_bytes(content)
        done = proved.check("--json")
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert done.json() == {"error": done.err.removeprefix("error: ").strip()}

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("secret", "00" * 32),
            ("salt", 5),
            ("body.design.parts", 10**9),
            ("body.design.parts", "4"),
            ("body.design.classes", {"a": 1}),
            ("body.data.rows", -1),
            ("body.data.rows", "many"),
            ("body.data", None),
            ("body.pool.merkle_root", None),
            ("body.beacon", [1]),
            ("body.beacon", {"source": "drand", "round": 1}),
            ("body.extra", 1),
            ("commitment", None),
            ("beacon_value", {"a": 1}),
        ],
    )
    def test_an_altered_one(self, proved, path, value):
        opening = json.loads((proved.root / "opening.json").read_text())
        place, *names = opening["key"], *path.split(".")
        for name in names[:-1]:
            place = place[name]
        place[names[-1]] = value
        (proved.root / "opening.json").write_text(json.dumps(opening))
        done = proved.check()
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)

    def test_one_of_another_key(self, proved, tmp_path):
        other = World(tmp_path / "other")
        other.root.mkdir()
        other.make().commit()
        other.open()
        (proved.root / "opening.json").unlink()
        (other.root / "opening.json").rename(proved.root / "opening.json")
        commitment = proved.root / "safe/commitment.json"
        done = proved.check("--commitment", commitment, "--json")
        assert failed(done) == ["commitment", "key", "answers", "clean"]

    def test_it_is_not_written_over(self, proved):
        before = (proved.root / "opening.json").read_bytes()
        assert "exists" in proved.open().err
        assert (proved.root / "opening.json").read_bytes() == before

    def test_opening_and_checking_are_two_things(self, proved):
        done = proved.check("--key", proved.key_file)
        assert (done.code, "name one" in done.err) == (1, True)
        nothing = run("reveal", "--opening", proved.root / "opening.json")
        assert (nothing.code, "nothing to do" in nothing.err) == (1, True)


class TestData:
    @pytest.mark.parametrize(
        ("case", "what"),
        [
            ("pixel of an unmarked row", ["release"]),
            ("label", ["release"]),
            ("another image", ["release"]),
            ("fewer rows", ["release"]),
            ("unmarked", ["release"]),
            ("shuffled", []),
        ],
    )
    def test_another_release(self, proved, case, what):
        released = read(proved.root / "released.npz")
        rows = np.arange(200)
        unmarked = int(
            (released.samples == read(proved.source).samples).flatten(1).all(1).nonzero()[0]
        )
        if case == "pixel of an unmarked row":
            released.samples[unmarked, 0, 0, 0] ^= 1
        elif case == "label":
            released.labels[unmarked] = (released.labels[unmarked] + 1) % 10
        elif case == "another image":
            released.samples[unmarked] = 255 - released.samples[unmarked]
        elif case == "fewer rows":
            rows = rows[:199]
        elif case == "unmarked":
            released = read(proved.source)
        else:
            rows = rows[::-1].copy()
        write(released.take(rows), proved.root / "changed.npz", format="npz")
        more = ("--source", proved.source, "--released", proved.root / "changed.npz", "--json")
        assert failed(proved.check(*more)) == what

    def test_other_data_before_it_was_marked(self, proved):
        more = ("--source", proved.pool, "--released", proved.root / "released.npz", "--json")
        done = proved.check(*more)
        assert failed(done) == ["data", "release"]
        assert "has 100 rows, not 200" in done.out

    @pytest.mark.parametrize("option", ["--source", "--released", "--pool"])
    def test_data_that_are_not_as_they_are_named_fail_no_check(self, proved, option):
        """To say so is the checker's fault, not the evidence's: one line, and no list."""
        done = proved.check(option, proved.root / "nowhere")
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "nowhere" in done.err

    def test_another_pool(self, proved):
        assert failed(proved.check("--json", pool=proved.source)) == ["answers", "clean"]

    def test_what_is_not_named_is_not_called_true(self, proved):
        done = run("reveal", "--check", proved.out, "--json")
        words = {check["what"]: check["word"] for check in done.json()["checks"]}
        assert words == dict.fromkeys(
            (
                *("signature", "commitment", "timestamp", "key", "answers", "clean", "data"),
                "release",
            ),
            "not checked",
        ) | {"log": "passed"}

    def test_an_honest_answer_gives_no_claim(self, world):
        """Had the thief's evidence been made with an honest model's answers, it would not stand."""
        world.verify(world.root / "honest.yaml")
        world.open()
        evidence = world.evidence()
        assert world.check().code == HOLDS
        world.verify(world.recorded(thief, "again"), out=world.root / "claim")
        claim = world.evidence(world.root / "claim")
        for name in ("key_layer", "effect", "curve", "verdict"):
            evidence[name] = claim[name]
        (world.out / "evidence.json").write_text(json.dumps(evidence))
        assert failed(world.check("--json")) == ["answers"]
