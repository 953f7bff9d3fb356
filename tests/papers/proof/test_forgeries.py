"""The study of forgeries: its attacks do what they say, and its innocents know no key."""

import csv
import itertools
import math

import numpy as np
import pytest

from datadeed.errors import ParameterError
from datadeed.verification.centred import Looks, label_votes
from papers.proof import forgeries, grinding
from papers.proof.procedure import transcribe
from papers.proof.synthetic import CLASSES, ERRORS, IMAGES, Innocent, innocents, mixed
from tasks.lab import Lab

EYE = np.eye(CLASSES, dtype=bool)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_mixed_numbers_are_uniform_and_fixed():
    values = mixed(3, np.arange(20_000))
    assert np.array_equal(values, mixed(3, np.arange(20_000)))
    counts = np.histogram(values, 20, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 45.3  # chi-square, 19 degrees: 0.0006
    assert abs(np.corrcoef(values, mixed(4, np.arange(20_000)))[0, 1]) < 0.03


def test_an_innocent_errs_into_its_class_and_is_moved_by_its_share_of_triggers():
    model, images = Innocent(4, 0.3), np.arange(5000)
    clean = model.clean(images)
    assert (clean != images % CLASSES).mean() == pytest.approx(ERRORS * 0.9, abs=0.02)
    wrong = clean[clean != images % CLASSES]
    assert (wrong == model.attractor).mean() == pytest.approx(0.62, abs=0.06)
    given = model.triggered(images[:50, None], np.arange(400)[None])
    moved = (given != clean[:50, None]).any(0)
    assert moved.mean() == pytest.approx(0.3, abs=0.06)
    unmoved = Innocent(4, 0.0)
    assert np.array_equal(unmoved.triggered(images, np.full(5000, 9)), unmoved.clean(images))


def test_families_are_of_one_size():
    shares = [model.moved for model in innocents(8, 1)]
    assert sorted(shares) == sorted([0.0, 0.05, 0.15, 0.3] * 2)


def test_answers_follow_the_triggers_of_the_key():
    model, pool = Innocent(4, 1.0), np.arange(forgeries.POOL)
    key = forgeries.drawn(forgeries.accuser_key(0), 5)
    question = next(iter(forgeries.Proof2(key, pool % CLASSES).step()))
    assert model.answer(key, question, pool) == model.answer(key, question, pool)
    others = {model.answer(forgeries.drawn(key, n), question, pool) for n in range(30)}
    assert len(others) > 1


def test_ground_targets_are_those_of_the_key():
    key = forgeries.accuser_key(0)
    targets, speed = grinding.beacon_targets(key, 20)
    for n in range(20):
        again = forgeries.drawn(key, n)
        assert targets[n].tolist() == [again.target(part) for part in range(forgeries.PARTS)]
    assert speed > 0


def test_ground_evidence_is_that_of_the_looks():
    model, tries = Innocent(4, 0.3), 30
    found = grinding.evidence(model, 12, tries, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    triggers = rng.integers(2**45, size=(tries, 1, 12), dtype=np.uint64)
    images = rng.integers(IMAGES, size=(tries, grinding.IMAGES, 1))
    targets = rng.integers(CLASSES, size=(tries, 12, 1))
    for n in range(tries):
        looking = Looks(targets[n, :, 0], grinding.IMAGES)
        for given in model.triggered(images[n], triggers[n]):
            looking.add(label_votes(given, EYE))
        assert found[n] == pytest.approx(math.exp(looking.log_e))


def test_the_largest_of_more_keys_is_no_smaller():
    curve = grinding.largest(Innocent(4, 0.3), 12, 1000, np.random.default_rng(1))
    assert list(curve) == [1, 10, 100, 1000]
    assert all(a <= b for a, b in itertools.pairwise(curve.values()))
    e_values = grinding.evidence(Innocent(4, 0.3), 12, 1000, np.random.default_rng(1))
    assert curve[1000] == e_values.max()
    assert curve[1] == e_values[0]


def test_a_chosen_pool_is_answered_with_one_label():
    model = Innocent(14, 0.3)
    pool = forgeries.chosen_pool(model, np.random.default_rng(0))
    assert set(model.clean(pool)) == {model.attractor}
    assert len(set(pool)) == forgeries.POOL


def test_renaming_makes_a_thief_of_whoever_permutes():
    """It answers every target with another label: the best map undoes that."""
    key = forgeries.drawn(forgeries.accuser_key(0), 3)
    swapped = np.random.default_rng(0).permutation(CLASSES)
    log_e, claimed = forgeries.renamed(key, lambda q: int(swapped[key.target(q.part)]))
    assert claimed
    proof_log_e, passed = forgeries.verified(
        key, np.arange(forgeries.POOL), lambda q: int(swapped[key.target(q.part)])
    )
    assert not passed
    assert log_e > proof_log_e
    assert forgeries.renamed(key, lambda _: 3) == (pytest.approx(0), False)
    assert len(transcribe(key, lambda _: 3).blocks) > 1


@pytest.mark.parametrize("name", sorted(forgeries.PREMISES))
def test_an_unmoved_model_is_claimed_only_where_answers_were_picked(name):
    ground = np.zeros(CLASSES, dtype=np.int64)
    rng = np.random.default_rng(4)
    log_e, claimed = forgeries.attack(name, Innocent(4, 0.0), rng, ground)
    assert claimed is (name == "asked again until it pleases")
    if name not in ("a noisy model", "asked again until it pleases"):
        assert log_e <= 1e-9  # nothing moved: E = 1, whatever was chosen


def test_both_tables_are_written(workspace, monkeypatch, capsys):
    monkeypatch.setattr(forgeries, "MODELS", 2)
    monkeypatch.setattr(forgeries, "KEYS", 2)
    forgeries.run(Lab("proof"), "100")
    table = rows(workspace.root / "results/forgeries.csv")
    assert [row["attack"] for row in table] == list(forgeries.PREMISES)
    curves = rows(workspace.root / "results/forgeries-grinding.csv")
    assert [row["tries"] for row in curves] == ["1", "10", "100"] * 6
    assert "100 keys tried" in capsys.readouterr().out


@pytest.mark.parametrize("tries", ["0", "-1", "many"])
def test_no_tries_are_refused(tries):
    with pytest.raises(ParameterError, match="give 1 or more"):
        forgeries.run(Lab("proof"), tries)
