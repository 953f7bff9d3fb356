"""The study of the second proof: its shortcuts give what the state machine itself gives."""

import csv
import math

import numpy as np
import pytest

from datadeed.errors import ParameterError
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2
from papers.proof import procedure
from papers.proof.suspects import NAMES, Benign, Thief, innocents
from tasks.lab import Lab


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def fixed_key(targets, kind, classes, alpha):
    """The key of number 3, with these targets in place of its own."""
    key = procedure.simulated_key(classes, len(targets), 400, 3, alpha)
    own = type("Fixed", (kind,), {"target": lambda _, part: int(targets[part])})
    return own(key.secret, key.salt, key.design, key.data, key.pool)


@pytest.mark.parametrize("name", ["constant", "every patch has a favourite class", "adaptive"])
@pytest.mark.parametrize("classes", [2, 10])
def test_many_keys_at_once_end_as_each_of_them_does(name, classes):
    rng = np.random.default_rng(classes)
    key = procedure.simulated_key(classes, 12, 400, 3, 0.3)
    asked = procedure.transcribe(key, innocents(5, classes)[name])
    targets = rng.integers(classes, size=(6, 12))
    e_values, claim, out = procedure.ended(asked, classes, targets, 1 / 0.3, 0.2)
    for n, own in enumerate(targets):
        proof = Proof2(fixed_key(own, type(key), classes, 0.3), procedure.pool_labels(classes))
        suspect = innocents(5, classes)[name]
        while step := proof.step():
            for question in step:
                proof.answer([suspect(question)])
        assert proof.log_e == pytest.approx(math.log(e_values[n]))
        assert proof.passed == np.isfinite(claim[n])
        assert proof.unsupported == np.isfinite(out[n])
        if np.isfinite(min(claim[n], out[n])):
            assert len(proof.curve) == min(claim[n], out[n])


def test_both_tables_are_written(workspace, monkeypatch, capsys):
    monkeypatch.setattr(procedure, "CLASSES", (10,))
    monkeypatch.setattr(procedure, "SETTINGS", ((10, 12, 400),))
    monkeypatch.setattr(procedure, "SUCCESS", (0.97,))
    monkeypatch.setattr(procedure, "CONFUSED", (0.0,))
    monkeypatch.setattr(procedure, "RUNS", 20)
    monkeypatch.setattr(procedure, "TRANSCRIPTS", 2)
    procedure.run(Lab("proof"), "60")
    type_one = rows(workspace.root / "results/procedure-type-one.csv")
    assert [row["suspect"] for row in type_one] == list(NAMES)
    constant = type_one[0]
    assert (constant["mean_e"], constant["rate"], constant["excluded"]) == ("0.5", "0", "1")
    assert constant["median_excluded"] == "54"
    thief, honest = rows(workspace.root / "results/procedure-queries.csv")
    assert (thief["verdict"], thief["queries_95"], thief["claimed"]) == ("CLAIM", "12", "1")
    assert honest["verdict"] == "NOT SUPPORTED"
    assert honest["median_queries"] == "52"
    assert f"the level holds in {len(NAMES)} of {len(NAMES)}" in capsys.readouterr().out


def test_a_suspect_that_knows_the_targets_is_claimed():
    """The simulation can reject."""
    targets = np.random.default_rng(0).integers(10, size=12)
    key = procedure.simulated_key(10, 12, 400, 3, 0.01)
    asked = procedure.transcribe(key, lambda q: int(targets[q.part]))
    _, claim, out = procedure.ended(asked, 10, np.stack([targets, (targets + 1) % 10]), 100, 0.2)
    assert claim.tolist() == [12, np.inf]
    assert out[0] == np.inf
    _, claim, _ = procedure.ended(asked, 10, targets[None], 1e300, 0.2)
    assert claim.tolist() == [np.inf]


def test_innocents_know_no_key_and_answer_as_they_did():
    for name in NAMES:
        first, again = (innocents(7, 10)[name] for _ in range(2))
        key = procedure.simulated_key(10, 12, 100, 1)
        one, other = (procedure.transcribe(key, suspect) for suspect in (first, again))
        assert np.array_equal(one.blocks, other.blocks)
        assert np.array_equal(one.pairs, other.pairs)


def test_a_thief_succeeds_as_often_as_it_says():
    labels, targets = np.zeros(1000, dtype=np.int64), np.array([7])
    for success in (0.0, 0.5, 1.0):
        thief = Thief(np.random.default_rng(1), labels, 10, targets, success)
        hits = np.mean([thief(Question("block", 0, 5)) == 7 for _ in range(2000)])
        assert hits == pytest.approx(0.97 * success + 0.003, abs=0.04)
        decoys = np.mean([thief(Question("decoy", 0, 5)) == 7 for _ in range(2000)])
        assert decoys < 0.02
    benign = Benign(np.random.default_rng(1), labels, 10, confused=0.5)
    right = np.mean([benign(Question("block", 0, 5)) == 0 for _ in range(2000)])
    assert right == pytest.approx(0.55, abs=0.05)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2), (0.75, 9), (0.95, None)])
def test_within_how_many_questions(share, wanted):
    assert procedure.middle(np.array([9, 1, np.inf, 2]), share) == wanted


@pytest.mark.parametrize("keys", ["0", "-1", "many"])
def test_no_keys_are_refused(keys):
    with pytest.raises(ParameterError, match="give 1 or more"):
        procedure.run(Lab("proof"), keys)
