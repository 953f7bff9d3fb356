"""The proof as a whole: its questions, its stopping rules, its verdicts and its error rate."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.keys.key import Design, Extent, Key
from datadeed.verification.keylabels import part_e_value
from datadeed.verification.layers import KeyLayer
from datadeed.verification.proof import Proof
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED
from datadeed.watermarks.keyed import target_label


def make_key(secret=1, classes=10, pool=1000, **values):
    design = Design(classes=tuple(map(str, range(classes))), channels=1, **values)
    return Key(
        secret.to_bytes(32, "big"), bytes(32), design, Extent(10_000, "00" * 32), Extent(pool, "00")
    )


def make_proof(key=None, suspects=1):
    key = key or make_key()
    labels = np.arange(key.pool.rows) % len(key.design.classes)
    return Proof(key, labels, suspects=suspects), labels


def ask(proof, respond):
    """Run a proof; ``respond`` gives a label, None for an unknown class, "fail" for no answer."""
    asked = []
    while (question := proof.question()) is not None:
        asked.append(question)
        label = respond(question)
        if label == "fail":
            proof.answer(None, failed=True)
        else:
            proof.answer(label)
    return asked


def thief(key, rate=1.0, seed=0):
    rng = np.random.default_rng(seed)
    classes = len(key.design.classes)
    return lambda q: (
        target_label(key, q.part) if rng.random() < rate else int(rng.integers(classes))
    )


class TestVerdicts:
    def test_a_thief_is_claimed_after_few_queries(self):
        proof, _ = make_proof()
        asked = ask(proof, thief(proof.key))
        assert proof.verdict()[0] == CLAIM
        layers = Counter(question.layer for question in asked)
        # Two agreeing votes are worth 6.7 at C = 10, and 6.7 ** 8 > 1e6; five hits beat 0.25.
        assert layers == {"key": 16, "behaviour": proof.behaviour_layer.queries}
        assert proof.behaviour_layer.queries <= 6
        assert math.isclose(proof.key_layer.log_e, 8 * math.log(part_e_value(np.eye(10)[0] * 2, 0)))

    def test_an_accurate_honest_model_is_not_supported(self):
        proof, labels = make_proof()
        asked = ask(proof, lambda q: int(labels[q.row]))
        assert proof.verdict() == (
            NOT_SUPPORTED,
            "the hit rate is below the rate granted to innocent models",
        )
        assert proof.behaviour_layer.hits == 0
        assert len(asked) < 100

    def test_a_constant_model(self):
        proof, _ = make_proof()
        ask(proof, lambda q: 3)
        assert proof.verdict()[0] != CLAIM

    def test_no_answer_buys_no_verdict(self):
        """Failures must neither clear nor accuse, however many there are."""
        proof, _ = make_proof()
        asked = ask(proof, lambda q: "fail")
        assert proof.verdict() == (
            INCONCLUSIVE,
            "the budget is spent and neither layer is decided",
        )
        assert len(asked) == proof.key.design.budget
        assert proof.behaviour_layer.interval.low == 0
        assert proof.behaviour_layer.interval.high == 1
        assert proof.key_layer.log_e == pytest.approx(0, abs=1e-12)

    def test_a_class_that_the_key_does_not_have_is_a_miss_but_no_failure(self):
        proof, _ = make_proof()
        ask(proof, lambda q: None)
        assert proof.verdict()[0] == NOT_SUPPORTED
        assert proof.behaviour_layer.failed == 0

    def test_a_weak_dependence_is_neither_claimed_nor_called_unsupported(self):
        key = make_key(alpha_key=1e-3, null_rate=0.9, parts=12)
        proof, _ = make_proof(key)
        rng = np.random.default_rng(5)
        layer = {"key": 1.0, "behaviour": 0.5}
        ask(proof, lambda q: target_label(key, q.part) if rng.random() < layer[q.layer] else None)
        word, reason = proof.verdict()
        assert (word, reason[:25]) == (INCONCLUSIVE, "the answers depend on the")

    def test_hot_triggers_without_the_key(self):
        """A model that maps every patch to one class hits parts with that target, and no others."""
        key = make_key(2, null_rate=0.01)
        proof, _ = make_proof(key)
        targets = [target_label(key, part) for part in range(12)]
        hot = max(targets, key=targets.count)
        assert targets.count(hot) >= 3
        ask(proof, lambda q: hot)
        assert proof.verdict() == (
            INCONCLUSIVE,
            "triggers work more often than granted to innocent models, but the answers do not "
            "favour the key's labels enough",
        )

    def test_an_unfinished_run_says_so(self):
        proof, _ = make_proof()
        assert proof.verdict()[1] == "the verification was not finished: run it again to go on"


class TestQuestions:
    def test_key_layer_rows_do_not_depend_on_target_labels(self):
        """Layer K asks the same whatever the labels are: rerun it with other labels in mind."""
        key = make_key()
        proof, labels = make_proof(key)
        asked = [q for q in ask(proof, lambda q: int(labels[q.row])) if q.layer == "key"]
        again, _ = make_proof(key)
        again.key_layer.order = proof.key_layer.order
        import datadeed.verification.layers as module

        original = module.target_label
        try:
            module.target_label = lambda k, part: (original(k, part) + 1) % 10
            other = [q for q in ask(again, lambda q: int(labels[q.row])) if q.layer == "key"]
        finally:
            module.target_label = original
        shared = min(len(asked), len(other))
        assert shared > 10
        assert asked[:shared] == other[:shared]

    def test_no_image_is_asked_twice_and_the_layers_share_none(self):
        key = make_key(budget=400, null_rate=0.5)
        proof, labels = make_proof(key)
        asked = ask(proof, thief(key, rate=0.45))
        assert len(set(asked)) == len(asked)
        rows = {layer: {q.row for q in asked if q.layer == layer} for layer in ("key", "behaviour")}
        assert not rows["key"] & rows["behaviour"]
        for question in asked:
            if question.layer == "behaviour":
                assert labels[question.row] != target_label(key, question.part)

    def test_pairs_are_all_pairs_of_another_class_once(self):
        key = make_key(pool=240, parts=12, votes=9)
        proof, labels = make_proof(key)
        pairs = {tuple(pair) for pair in proof.behaviour_layer.pairs.tolist()}
        rows = key.permutation("pool", count=240)[120:]
        wanted = {
            (part, int(row))
            for part in range(12)
            for row in rows
            if labels[row] != target_label(key, part)
        }
        assert pairs == wanted
        assert len(pairs) == len(proof.behaviour_layer.pairs)

    def test_the_budget_is_hard(self):
        key = make_key(budget=7)
        proof, _ = make_proof(key)
        assert len(ask(proof, thief(key))) == 7
        assert proof.verdict()[0] == INCONCLUSIVE
        with pytest.raises(VerificationError, match="nothing is asked any more"):
            proof.answer(1)

    def test_a_key_layer_that_cannot_pass_any_more_is_left(self):
        proof, labels = make_proof(make_key(parts=8))
        ask(proof, lambda q: int(labels[q.row]))
        assert len(proof.key_layer.closed) < 8

    @pytest.mark.parametrize("label", [-1, 10])
    def test_a_label_must_exist(self, label):
        proof, _ = make_proof()
        with pytest.raises(VerificationError, match="does not exist"):
            proof.answer(label)

    def test_pools(self):
        with pytest.raises(VerificationError, match="pool of 1000 images, but there are 999"):
            Proof(make_key(), np.zeros(999, dtype=int))
        with pytest.raises(VerificationError, match="12 parts of up to 9 questions need 108"):
            make_proof(make_key(pool=200))
        one = make_key(parts=1)
        with pytest.raises(VerificationError, match="every image of the pool"):
            Proof(one, np.full(1000, target_label(one, 0)))


class TestExactness:
    @settings(max_examples=60)
    @given(st.integers(2, 12), st.lists(st.integers(0, 11), min_size=1, max_size=9))
    def test_the_mean_factor_over_all_labels_is_one(self, classes, votes):
        counts = np.bincount([vote % classes for vote in votes], minlength=classes)
        mean = np.mean([part_e_value(counts, target) for target in range(classes)])
        assert abs(mean - 1) < 1e-12

    @pytest.mark.parametrize("classes", [2, 10])
    def test_whole_procedure_on_innocent_models(self, classes):
        """Over random keys the key layer passes in at most alpha; here for every kind of model.

        1,000 keys, alpha 0.05: 72 passes have probability 0.002 if the rate is exactly alpha.
        """
        kinds = {
            "label + 1": lambda q, labels: int(labels[q.row] + 1) % classes,
            "constant": lambda q, labels: 0,
            "by part": lambda q, labels: (q.part * 7) % classes,
            "noise": lambda q, labels: hash((q.part, q.row)) % classes,
        }
        for respond in kinds.values():
            passed = 0
            for secret in range(1000):
                key = make_key(secret, classes, pool=40, parts=4, votes=5, alpha_key=0.05)
                labels = np.arange(40) % classes
                layer = KeyLayer(key, key.permutation("pool", count=40)[:20], 1 / 0.05)
                while (question := layer.question()) is not None:
                    layer.answer(respond(question, labels), False)
                passed += layer.passed
            assert passed < 72

    def test_the_numbering_of_the_classes_does_not_matter(self):
        """A permuted suspect under permuted targets gives the same evidence."""
        key = make_key()
        order = np.random.default_rng(0).permutation(10)
        counts = np.random.default_rng(1).integers(0, 5, 10)
        moved = np.empty(10, dtype=int)
        moved[order] = counts
        for target in range(10):
            assert part_e_value(counts, target) == pytest.approx(
                part_e_value(moved, order[target]), rel=1e-15
            )
        assert key.design.beta == 1.6


def test_more_suspects_need_more_evidence():
    proof, _ = make_proof(suspects=20)
    ask(proof, thief(proof.key))
    record = proof.record()
    assert record["multiplicity"] == pytest.approx(
        {"suspects": 20, "threshold_key": 2e7, "threshold_behaviour": 2000}
    )
    assert record["key_layer"]["log_e"] >= math.log(2e7)


def test_replaying_the_answers_gives_the_same_record():
    key = make_key()
    first, labels = make_proof(key)
    answers = []

    def respond(question):
        label = int(labels[question.row]) if question.row % 3 else target_label(key, question.part)
        answers.append(label)
        return label

    ask(first, respond)
    second, _ = make_proof(key)
    taken = iter(answers)
    ask(second, lambda q: next(taken))
    assert first.record() == second.record()
    assert first.record()["curve"][-1]["query"] == len(answers)


def test_infinite_evidence_stays_json():
    key = make_key(pool=20, parts=1, votes=3, null_rate=0.01, budget=100, alpha_key=0.5)
    key = dataclasses.replace(key, design=dataclasses.replace(key.design, alpha_behaviour=1e-300))
    proof, _ = make_proof(key)
    ask(proof, thief(key))
    assert proof.record()["behaviour_layer"]["log_e"] <= 1e308
