"""Evidence of the first generation, as its release wrote it, is still checked to the last number.

The folders in ``generation1/`` were made with four parts on :func:`tests.cli.world.data`: a claim,
an honest suspect, and a claim with a pause in which three questions failed.
"""

import json
import shutil
from pathlib import Path

import pytest

from datadeed.errors import EvidenceError, KeyRecordError
from datadeed.owner.check import check
from datadeed.owner.report import report
from datadeed.owner.reveal import read_opening
from datadeed.owner.stated import leaves
from datadeed.owner.verify import verify
from tests.cli.world import data

HERE = Path(__file__).parent / "generation1"
OPENING = HERE / "opening.json"
POOL = data(100, seed=1)
SENTENCES = ("key.grinding", "verdict.tested", "verdict.not_tested")
FREE = ("made_at", "software", "suspect.", "queries.cost", "multiplicity.suspects")


def judge(folder, pool=POOL):
    found = check(OPENING, evidence=folder, pool=pool, commitment=HERE / "commitment.json")
    failed = [each.what for each in found if each.word == "FAILED"]
    return failed, {each.what: each for each in found}


def put(place, path, value):
    """Set a leaf, by names and numbers joined by points."""
    *way, last = path.split(".")
    for name in way:
        place = place[int(name) if isinstance(place, list) else name]
    place[int(last) if isinstance(place, list) else last] = value


@pytest.fixture
def claimed(tmp_path):
    return Path(shutil.copytree(HERE / "claimed", tmp_path / "claimed"))


@pytest.mark.parametrize("name", ["claimed", "honest", "paused"])
def test_every_check_passes(name):
    failed, found = judge(HERE / name)
    assert failed == []
    assert found["answers"].word == found["clean"].word == found["key"].word == "passed"
    assert found["commitment"].word == "passed"
    assert ("3 more failed three or more in a row" in found["answers"].found) == (name == "paused")


def test_every_number_is_derived_again_and_every_sentence_is_stated(claimed):
    before = json.loads((claimed / "evidence.json").read_text())
    stated = judge(claimed)[1]
    unseen = []
    for path, value in leaves(before):
        if path.startswith((*SENTENCES, *FREE)):
            assert path in stated, path
        if path in stated or isinstance(value, str) or value is None:
            continue
        evidence = json.loads((claimed / "evidence.json").read_text())
        put(evidence, path, not value if isinstance(value, bool) else value + 1)
        (claimed / "evidence.json").write_text(json.dumps(evidence))
        if judge(claimed)[0] == []:
            unseen.append(path)
        (claimed / "evidence.json").write_text(json.dumps(before))
    assert unseen == []


def test_another_word_or_pool_fails(claimed):
    text = (claimed / "evidence.json").read_text()
    (claimed / "evidence.json").write_text(text.replace('"CLAIM"', '"INCONCLUSIVE"'))
    assert judge(claimed)[0] == ["answers"]
    (claimed / "evidence.json").write_text(text)
    assert judge(claimed, data(100, seed=2))[0] == ["answers", "clean"]


def test_nothing_is_asked_with_such_a_key_any_more(claimed, tmp_path):
    key = read_opening(OPENING)
    with pytest.raises(KeyRecordError, match="of the first generation: its evidence can be"):
        verify("nobody.yaml", key, POOL, tmp_path / "out")
    with pytest.raises(EvidenceError, match="datadeed reveal --check"):
        report(claimed)
