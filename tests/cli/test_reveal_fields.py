"""Every field of evidence and log, altered one at a time: it is refused, or shown as stated."""

import dataclasses
import datetime as dt
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from datadeed.errors import EvidenceError
from datadeed.owner.asking import CouldNotTest, probe_rows
from datadeed.owner.evidence.build import STATED_FIELDS, STATED_OF_RECORDS
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.stated import leaves
from datadeed.owner.suspects.base import Answer, failure, question_digest
from datadeed.owner.verify import verify
from tests.cli.world import World, data, forge, run, thief
from tests.owner.evidence.authority import Authority

pytestmark = pytest.mark.usefixtures("no_page")
HOLDS = 6
DOCS = Path(__file__).parents[2] / "docs/evidence.md"
WARNING = "1 of 17 probes failed, the first with: busy"


class Uneven:
    """Answers from a table, but fails at the places given; it must be called one by one."""

    name, kind, protocol, endpoint = "uneven", "labels", "object", "nowhere"
    groups, declared = tuple((k,) for k in range(10)), {}

    def __init__(self, world, failing):
        self.table, self.failing, self.asked = world.answers(thief), failing, 0
        self.classes = world.key().design.classes

    def predict(self, images):
        return [self._one(image) for image in images]

    def _one(self, image):
        self.asked += 1
        if self.asked - 1 in self.failing:
            return failure("busy")
        return Answer((self.table[question_digest(image)],), None)

    def fingerprint(self):
        return "ab" * 32

    def close(self):
        pass


def stamp(world):
    """A token for the world's commitment, and the roots of its authority."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    year = dt.timedelta(days=365)
    authority = Authority((now - year, now + year))
    builder = TimestampRequestBuilder().data(world.key().commitment.encode())
    builder = builder.hash_algorithm(HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    token, roots = world.root / "token.tsr", world.root / "roots.pem"
    token.write_bytes(authority.answer(request.as_bytes(), now))
    roots.write_bytes(authority.roots)
    return token, roots


@pytest.fixture(scope="module")
def _rich(_marked, tmp_path_factory):
    """A claim with a failed clean question, a counted failure, a pause, and a timestamp."""
    folder = tmp_path_factory.mktemp("rich") / "world"
    shutil.copytree(_marked.root, folder)
    world = World(folder)
    token, roots = stamp(world)
    ask = {"pool": world.pool, "out": world.out, "timestamp": token, "roots": roots}
    suspect = Uneven(world, {3, 18, 22, 23})
    with pytest.MonkeyPatch.context() as patch:
        import datadeed.owner.evidence.report as module

        patch.setattr(module, "render_proof", lambda evidence, records=(): "<p>page</p>")
        with pytest.raises(CouldNotTest, match="1 questions failed"):
            verify(suspect, world.key(), **ask)
        assert verify(suspect, world.key(), **ask).word == "CLAIM"
    assert world.open().code == 0
    return world


@pytest.fixture
def rich(_rich, tmp_path):
    shutil.copytree(_rich.root, tmp_path / "world")
    return World(tmp_path / "world")


def judge(world, *more):
    """The names of failed checks, and the paths that are shown as stated."""
    value = world.check("--json", *more).json()
    failed = [each["what"] for each in value["checks"] if each["word"] == "FAILED"]
    return failed, {each["what"]: each["found"] for each in value["stated"]}


def others(path, value):
    """Other values for a leaf, of its form where that is known."""
    name = path.rpartition(".")[2]
    enums = {"word": "INCONCLUSIVE", "step": "pair", "kind": "top-k", "form": "another"}
    enums |= {"answers": "scores", "hosts": "picked", "status": "verified"}
    if name in enums:
        return [enums[name] if enums[name] != value else "block"]
    if isinstance(value, str):
        return _other_text(value)
    if value is None:
        stated = {"authority": "x", "time": "2026-11-01T09:00:00.000Z", "token_sha256": "0e" * 32}
        beacon = {"source": "drand", "round": 1, "value": "00" * 32}
        return [1, 0.5, "x", stated, beacon]
    if isinstance(value, float):
        return [value * 0.99 if value else 0.01, value * 1e-60 if value else 1e-6]
    if isinstance(value, list | dict):
        return [[*value, "x"], [1]] if isinstance(value, list) else [value | {"x": 1}]
    return [not value] if isinstance(value, bool) else [value + 1, abs(value - 1)]


def _other_text(value):
    if re.fullmatch(r"[0-9a-f]{64}", value):
        return [("1" if value[0] == "0" else "0") + value[1:]]
    if re.fullmatch(r"[0-9T:.-]{23}Z", value):
        return [("2025" if value[:4] != "2025" else "2024") + value[4:]]
    return [value + "x", "something else"]


def put(evidence, path, value):
    *way, last = [int(name) if name.isdecimal() else name for name in path.split(".")]
    for name in way:
        evidence = evidence[name]
    evidence[last] = value


def test_what_is_stated_is_what_the_documentation_says(rich):
    failed, stated = judge(rich)
    assert failed == []
    warnings = [path for path in stated if path.startswith("verdict.not_tested.")]
    assert [json.loads(stated[path]) for path in warnings] == [WARNING]
    named = {
        next((name for name in STATED_FIELDS if path == name or path.startswith(f"{name}.")), path)
        for path in set(stated) - set(warnings)
    }
    assert named == {*STATED_FIELDS, *(f"log.{name}" for name in STATED_OF_RECORDS)}
    section = (
        DOCS.read_text().split("## What is derived, and what is stated\n")[1].split("\n## ")[0]
    )
    rows = re.findall(r"^\| `([^|]+)` \|", section, flags=re.MULTILINE)
    assert set("`".join(rows).replace("`, `", "`").split("`")) == named | {"verdict.not_tested"}


def test_every_leaf_of_the_evidence(rich):
    """New fields are covered as soon as evidence holds them."""
    before = rich.evidence()
    paths = [path for path, _ in leaves(before)]
    assert len(paths) > 120
    assert before["queries"]["in_vain"] == 1
    unseen = []
    for path, value in leaves(before):
        for other in others(path, value):
            evidence = rich.evidence()
            put(evidence, path, other)
            assert evidence != before, path
            (rich.out / "evidence.json").write_text(json.dumps(evidence))
            failed, stated = judge(rich)
            if not failed and path not in stated:
                unseen.append((path, value, other))
            (rich.out / "evidence.json").write_text(json.dumps(before))
    assert unseen == []


CHANGES = {
    "time": "2020-01-01T00:00:00.000Z",
    "purpose": "pair",
    "part": 2,
    "row": 7,
    "question": "ab" * 32,
    "labels": (3,),
    "scores": (0.5,),
    "error": "asleep",
    "attempts": 5,
    "seconds": 9.0,
    "response_sha256": "ab" * 32,
}
SECOND = {"labels": (4,), "purpose": "block", "part": 1, "row": 8}


def test_every_field_of_a_record(rich):
    """Chained anew, the head and the counts stated anew: as a forger would who has the code."""
    before = rich.evidence()
    parquet = (rich.out / "queries.parquet").read_bytes()
    records = rich.records()
    chain = {"seq", "previous", "hash"}
    assert {field.name for field in dataclasses.fields(records[0])} == {*CHANGES, *chain}
    places = [0, 3, 16, 18, 20, 22, 23, len(records) - 3, len(records) - 1]
    unseen = []
    for place in places:
        for name, one in CHANGES.items():
            same = getattr(records[place], name) == one
            other = SECOND[name] if same else one
            altered = dataclasses.replace(records[place], **{name: other})
            forge(rich, lambda now, at=place, one=altered: [*now[:at], one, *now[at + 1 :]])
            failed, stated = judge(rich)
            if not failed and f"log.{name}" not in stated:
                unseen.append((place, name))
            (rich.out / "evidence.json").write_text(json.dumps(before))
            (rich.out / "queries.parquet").write_bytes(parquet)
    assert unseen == []
    assert judge(rich)[0] == []


class TestTimestamp:
    def test_a_verified_token_is_no_longer_stated(self, rich):
        token = ("--timestamp", rich.root / "token.tsr", "--roots", rich.root / "roots.pem")
        failed, stated = judge(rich, *token)
        assert failed == []
        named = [path for path in stated if path.startswith("key.timestamp")]
        assert named == ["key.timestamp.authority"]
        for path, value in (("time", "2020-01-01T00:00:00.000Z"), ("token_sha256", "ab" * 32)):
            evidence = rich.evidence()
            evidence["key"]["timestamp"][path] = value
            (rich.out / "evidence.json").write_text(json.dumps(evidence))
            assert judge(rich, *token)[0] == ["timestamp"]

    def test_another_token_is_noticed_without_roots(self, rich):
        value = rich.check("--json", "--timestamp", rich.root / "token.tsr").json()
        words = {each["what"]: each["word"] for each in value["checks"]}
        assert words["timestamp"] == "stated"
        (rich.root / "other.tsr").write_bytes(b"other")
        assert judge(rich, "--timestamp", rich.root / "other.tsr")[0] == ["timestamp"]


def test_what_failed_in_vain_is_listed(rich):
    found = {each["what"]: each["found"] for each in rich.check("--json").json()["checks"]}
    assert "1 more failed while a clean question got no answer either" in found["answers"]
    assert "(records 22)" in found["answers"]
    assert found["clean"].startswith("15 of 15 clean answers are right (16 asked)")


def _untested(world):
    return world.evidence()["verdict"]["not_tested"]


class TestForgeries:
    """What an accuser did with an honest model, every check passing then."""

    def test_a_chosen_value_of_the_beacon(self, bare):
        """Of a beacon that signs its rounds it is refused; of any other it is only stated."""
        bare.commit("--beacon", "a beacon", 12)
        assert bare.watermark("--beacon-value", "00" * 32).code == 0
        assert bare.verify(bare.recorded(thief)).code == 0
        bare.open()
        done = bare.check("--json")
        assert done.code == HOLDS
        premises = {each["what"]: each for each in done.json()["premises"]}
        assert premises["premise.key"]["word"] == "stated"
        assert "not verified" in premises["premise.key"]["found"]
        confirmed = ("--confirm", "pool", "--confirm", "numbers", "--confirm", "suspect")
        sure = bare.check("--json", *confirmed)
        words = [each["word"] for each in sure.json()["premises"]]
        assert (sure.code, words) == (HOLDS, ["stated", "verified", "verified", "verified"])
        assert run("reveal", "--check", bare.out, "--confirm", "key").code == 1

    def test_asking_until_the_answer_pleases(self, rich):
        records = rich.records()
        last = dataclasses.replace(records[-1], labels=((records[-1].labels[0] + 1) % 10,))
        forge(rich, lambda now: [*now[:-1], last, now[-1]])
        done = rich.check("--json")
        found = {each["what"]: each for each in done.json()["checks"]}
        assert found["answers"]["word"] == "FAILED"
        assert "answers may not be chosen among" in found["answers"]["found"]

    def test_going_on_with_such_a_log(self, rich):
        """What the first answer was stays; the log that holds a second one is left alone."""
        with QueryLog(rich.out, rich.evidence()["chain"]["anchor"]) as log:
            last = log.records[-1]
            where = {"purpose": last.purpose, "part": last.part, "row": last.row}
            log.append(**where, question=last.question, answer=Answer((1,), None))
        with pytest.raises(EvidenceError, match="answers may not be chosen among"):
            verify(Uneven(rich, ()), rich.key(), rich.pool, rich.out)

    def test_a_pool_that_goes_to_one_class(self, bare):
        """An honest model is right on three classes: flagged by verify and by the check."""
        bare.commit()
        asked = data(100, seed=1).labels[probe_rows(bare.key(), 100)].tolist()
        known = [label for label, _ in Counter(asked).most_common(3)]

        def fooled(key, part, label):
            return label if label in known else known[0]

        done = bare.verify(bare.recorded(fooled))
        assert "they may have been picked" in done.err
        assert any("may have been picked" in text for text in _untested(bare))
        bare.open()
        premises = {each["what"]: each for each in bare.check("--json").json()["premises"]}
        assert premises["premise.pool"]["word"] == "missing"
        assert "FLAGGED" in premises["premise.pool"]["found"]

    def test_sentences_without_a_key(self, rich):
        done = run("reveal", "--check", rich.out, "--json")
        assert done.code == HOLDS
        words = {each["what"]: each["word"] for each in done.json()["premises"]}
        assert words["premise.pool"] == "missing"
