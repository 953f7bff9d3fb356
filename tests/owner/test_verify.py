"""The jobs as functions: keys, data and suspects in memory give what files give."""

import json

import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.errors import KeyRecordError, UnsupportedModality
from datadeed.owner.asking import CouldNotTest
from datadeed.owner.check import check
from datadeed.owner.commit import commit
from datadeed.owner.evidence.schema import read_evidence
from datadeed.owner.suspects.base import Answer, failure, question_digest
from datadeed.owner.verify import verify
from datadeed.owner.watch import watch
from tests.cli.world import World, data, run, thief

pytestmark = pytest.mark.usefixtures("no_page")
DESIGN = {"parts": 4, "alpha": 1e-3, "null_rate": 0.4}


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
    return {name: evidence[name] for name in ("key_layer", "behaviour_layer", "curve", "verdict")}


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
    with pytest.raises(CouldNotTest, match="path is missing"):
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
    assert ("queries", 200) in steps
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


def test_texts_in_memory_are_refused(tmp_path):
    texts = Texts(["good", "bad"], torch.tensor([0, 1]), torch.arange(2), ("a", "b"))
    with pytest.raises(UnsupportedModality, match="a key marks images, but the dataset holds text"):
        commit(texts, tmp_path / "key.json")


def test_checks_of_data_in_memory(world):
    assert run("reveal", "--key", world.key_file, "--opening", world.root / "o.json").code == 0
    found = check(world.root / "o.json", source=data(), released=data())
    words = {each.what: (each.word, each.found) for each in found}
    assert words["data"] == ("passed", "the dataset is the data that was committed")
    assert words["release"][0] == "FAILED"
    assert words["answers"] == ("not checked", "needs --pool")
