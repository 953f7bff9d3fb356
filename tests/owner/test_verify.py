"""The jobs as functions: keys, data and suspects in memory give what files give."""

import json

import numpy as np
import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.errors import ConfigurationError, KeyRecordError, UnsupportedModality
from datadeed.owner.asking import CouldNotTest
from datadeed.owner.check import check
from datadeed.owner.commit import commit
from datadeed.owner.evidence.schema import read_evidence
from datadeed.owner.suspects.base import Answer, failure, question_digest
from datadeed.owner.verify import verify
from datadeed.owner.watch import watch
from tests.cli.world import World, data, run, thief

pytestmark = pytest.mark.usefixtures("no_page")
DESIGN = {"parts": 6, "alpha": 1e-3, "rate": 0.05, "few_marks": True, "carrier": "patch"}


@pytest.fixture
def no_page(monkeypatch):
    """The page takes longest to make and is not looked at."""
    import datadeed.owner.evidence.report as module

    monkeypatch.setattr(module, "render_proof", lambda evidence, records=(): "<p>page</p>")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path).make()
    made.commit()
    return made


class Mine:
    """A suspect of one's own: it answers from a table, and fails when there is none."""

    name, kind, protocol, endpoint = "mine", "labels", "object", "nowhere"
    classes = data(10).classes
    groups, declared = tuple((k,) for k in range(10)), {}

    def __init__(self, table):
        self.table, self.closed = table, False

    def predict(self, images):
        if self.table is None:
            return [failure("asleep") for _ in images]
        return [Answer((self.table[question_digest(image)],), None) for image in images]

    def fingerprint(self):
        return "ab" * 32

    def close(self):
        self.closed = True


def settled(evidence):
    return {name: evidence[name] for name in ("key_layer", "effect", "curve", "verdict")}


def test_a_dataset_and_a_key_in_memory_give_the_same_evidence(world):
    pool = data(100, seed=1)
    done = verify(world.recorded(thief), world.key(), pool, world.root / "mine")
    assert (done.word, done.folder) == ("CLAIM", world.root / "mine")
    assert done.evidence == read_evidence(world.root / "mine" / "evidence.json")
    assert done.reason == done.evidence["verdict"]["reason"]
    assert world.verify(world.root / "suspect.yaml").code == 0
    assert settled(done.evidence) == settled(world.evidence())


def test_a_suspect_of_ones_own_stays_open(world):
    suspect = Mine(world.answers(thief))
    done = verify(suspect, world.key(), world.pool, world.out)
    assert done.word == "CLAIM"
    assert done.evidence["suspect"]["protocol"] == "object"
    assert not suspect.closed


def test_one_that_does_not_answer_could_not_be_tested(world):
    with pytest.raises(CouldNotTest, match="mine answered no probe: asleep"):
        verify(Mine(None), world.key(), world.pool, world.out)
    with pytest.raises(ConfigurationError, match="path is missing"):
        verify({"protocol": "log"} | {"output": {"kind": "labels"}}, world.key(), world.pool, "x")


def test_progress_and_notes_are_told(world):
    told, steps = [], []

    class Step:
        def __init__(self, step, total):
            steps.append((step, total))

        def __enter__(self):
            return steps.append

        def __exit__(self, *_):
            pass

    table = world.answers(thief)
    suspect = Mine(table)
    suspect.predict = lambda images: [
        failure("busy") if len(images) > 1 and row == 0 else answer
        for row, answer in enumerate(Mine(table).predict(images))
    ]
    verify(suspect, world.key(), world.pool, world.out, progress=Step, note=told.append)
    assert ("check pool", 100) in steps
    assert ("questions", 400) in steps
    assert steps[-1] == len(read_evidence(world.out / "evidence.json")["curve"])
    assert told == ["1 of 17 probes failed, the first with: busy"]


def test_a_watch_in_memory(tmp_path):
    world = World(tmp_path).make()
    world.commit()
    done = watch(Mine(world.answers(thief)), world.key(), data(100, seed=1), world.out, blocks=1)
    assert done.state == json.loads((world.out / "watch.json").read_text())
    assert (done.word, done.reason.startswith("reached E of 1000 on day 1")) == ("EVIDENCE", True)


def test_committing_to_a_dataset_in_memory(world):
    made = commit(data(), world.root / "safe/other.json", pool=data(100, seed=1),
                  commitment=world.root / "safe/public.json", **DESIGN)  # fmt: skip
    assert made.key.data == world.key().data
    assert made.key.pool == world.key().pool
    assert json.loads(made.commitment.read_text()) == made.key.public()
    assert (made.secret.stat().st_mode & 0o777, made.token) == (0o600, None)
    with pytest.raises(KeyRecordError, match="a lost key cannot be made again"):
        commit(data(), made.secret, pool=data(100, seed=1), **DESIGN)


def test_a_carrier_of_images_refuses_texts_in_memory(tmp_path):
    texts = Texts(["good", "bad"], torch.tensor([0, 1]), torch.arange(2), ("a", "b"))
    with pytest.raises(UnsupportedModality, match="patch marks images, and the data are texts"):
        commit(texts, tmp_path / "key.json", carrier="patch")


def test_checks_of_data_in_memory(world):
    assert run("reveal", "--key", world.key_file, "--opening", world.root / "o.json").code == 0
    found = check(world.root / "o.json", source=data(), released=data())
    words = {each.what: (each.word, each.found) for each in found}
    assert words["data"] == ("passed", "the dataset is the data that was committed")
    assert words["release"][0] == "FAILED"
    assert words["answers"] == ("not checked", "needs --pool")


def test_ten_classes_merged_to_five_are_claimed(world):
    """The suspect's labels stand for two classes each; the class map is in the evidence."""
    key, table = world.key(), world.answers(thief)
    suspect = Mine({question: 2 * (label // 2) for question, label in table.items()})
    suspect.groups = tuple((k, k + 1) for k in range(0, 10, 2))
    done = verify(suspect, key, world.pool, world.out)
    assert done.word == "CLAIM"
    assert done.evidence["suspect"]["groups"] == [[k, k + 1] for k in range(0, 10, 2)]
    assert done.evidence["clean"]["right"] == 16
    found = {each.what: each.word for each in check(key, evidence=world.out, pool=world.pool)}
    assert (found["answers"], found["clean"]) == ("passed", "passed")


def test_samples_beside_the_source_that_are_not_the_pool(world):
    """Whoever names a source and no pool is asked for the pool: nothing failed."""
    key = world.key()
    verify(Mine(world.answers(thief)), key, world.pool, world.out)
    found = {each.what: each for each in check(key, evidence=world.out, source=data())}
    for what in ("answers", "clean"):
        assert found[what].word == "not checked"
        assert found[what].found.startswith("needs --pool: the key is bound to 100 samples, and")


def test_a_suspect_that_has_some_of_the_classes(world):
    key, table = world.key(), world.answers(thief)
    had = sorted({key.target(part) for part in range(6)})[:-1]
    assert len(had) >= 2
    suspect = Mine(
        {question: label if label in had else had[0] for question, label in table.items()}
    )
    suspect.groups = tuple((k,) for k in had)
    done = verify(suspect, key, world.pool, world.out)
    kept = [part["kept"] for part in done.evidence["key_layer"]["parts"]]
    assert kept == [key.target(part) in had for part in range(6)]
    found = {each.what: each.word for each in check(key, evidence=world.out, pool=world.pool)}
    assert (found["answers"], found["clean"]) == ("passed", "passed")


@pytest.mark.parametrize("scores", [True, False])
def test_a_key_whose_answers_are_scores(tmp_path, scores):
    """A mark too weak to change a label shows in the probabilities, where these are given."""
    world = World(tmp_path).make()
    assert world.commit("--answers", "scores").code == 0
    key, table, seen = world.key(), world.answers(thief), []

    class Leaning(Mine):
        kind = "probabilities" if scores else "labels"

        def predict(self, images):
            return [self.one(question_digest(image)) for image in images]

        def one(self, digest):
            label = table[digest]
            true = truth[digest]
            chances = np.full(10, 0.01)
            chances[true] = 0.6
            if label != true:
                chances[label] = 0.35  # of some keys .11 is not enough
            chances /= chances.sum()
            order = np.argsort(-chances, kind="stable")
            seen.append(digest)
            if not scores:
                return Answer((int(order[0]),), None)
            return Answer(tuple(map(int, order)), tuple(map(float, chances[order])))

    truth = world.answers(lambda key, part, label: label)
    done = verify(Leaning(table), key, world.pool, world.out)
    assert done.word == ("CLAIM" if scores else "NOT SUPPORTED")
    found = {each.what: each.word for each in check(key, evidence=world.out, pool=world.pool)}
    assert found["answers"] == "passed"
