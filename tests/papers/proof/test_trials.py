"""Trials that go together ask and end as they would alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.keys.key import Design, Extent, Key
from datadeed.verification.layers import KeyLayer
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import KeyPart, target_label
from papers.proof.trials import (
    FullKeyLayer,
    PoolAnswers,
    Shuffled,
    full_key_layer,
    run_together,
)

ROWS = 240


def make_key(secret=1, **values):
    design = Design(classes=tuple("abc"), channels=1, **{"parts": 5, "alpha_key": 0.05, **values})
    pool = Extent(ROWS, "00")
    return Key(secret.to_bytes(32, "big"), bytes(32), design, Extent(1000, "00" * 32), pool)


LABELS = np.arange(ROWS) % 3


def hash_label(key, question):
    """An arbitrary, but fixed, answer to every question."""
    return (question.part * 7 + question.row * 5 + key.secret[-1]) % 11 % 3


def ask_alone(trial):
    while (question := trial.question()) is not None:
        trial.answer(hash_label(trial.key, question), failed=False)
    return trial


def test_trials_end_as_they_would_alone():
    keys = [make_key(n) for n in range(6)]
    together = [Proof(key, LABELS) for key in keys]
    sizes = []

    def respond(questions):
        sizes.append(len(questions))
        return [hash_label(key, question) for key, question in questions]

    run_together(together, respond)
    alone = [ask_alone(Proof(key, LABELS)) for key in keys]
    assert [p.record() for p in together] == [p.record() for p in alone]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == sum(len(p.curve) for p in alone)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from([0.3, 0.05, 0.01, 0.002]))
def test_the_full_layer_reaches_a_threshold_if_and_only_if_the_layer_passes(seed, rate, alpha):
    key, rows = make_key(3), np.arange(ROWS)
    rng = np.random.default_rng(seed)
    drawn = [
        [
            target_label(key, part) if rng.random() < rate else int(rng.integers(3))
            for _ in range(ROWS)
        ]
        for part in range(5)
    ]
    layers = KeyLayer(key, rows, 1 / alpha), FullKeyLayer(key, rows, 1 / alpha)
    run_together(layers, lambda questions: [drawn[q.part][q.row] for _, q in questions])
    stopped, full = layers
    assert len(full.closed) == 5
    assert full.closed[: len(stopped.closed)] == stopped.closed
    assert stopped.passed == (full.log_e_max >= -np.log(alpha))


def test_the_full_layer_takes_the_rows_of_its_proof():
    proof = Proof(make_key(), LABELS)
    layer = ask_alone(full_key_layer(proof))
    ask_alone(proof)
    assert layer.closed[: len(proof.key_layer.closed)] == proof.key_layer.closed


class Counter:
    """Answers by an image's first pixel, and remembers what it saw."""

    def __init__(self):
        self.seen = []

    def predict(self, images):
        self.seen += list(images)
        return torch.nn.functional.one_hot(images[:, 0, 0, 0].long() % 3, 3).float()


def test_pool_answers_stamps_the_row_that_is_asked_about_and_asks_once():
    images = torch.randint(0, 256, (ROWS, 1, 12, 12), generator=torch.Generator().manual_seed(1))
    images = images.to(torch.uint8)
    key, model = make_key(), Counter()
    answers, layer = PoolAnswers(model, images), full_key_layer(Proof(key, LABELS))
    asked = []
    while (question := layer.question()) is not None:
        asked.append((key, question))
        layer.answer(0, failed=False)
    labels = answers([*asked, *asked])
    assert answers(asked) == labels[: len(asked)] == labels[len(asked) :]
    assert len(model.seen) == len(asked)
    for image, (_, question), label in zip(model.seen, asked, labels, strict=False):
        row = images[question.row : question.row + 1]
        assert torch.equal(image, KeyPart(key, question.part).stamp(row)[0])
        assert label == int(image[0, 0, 0]) % 3


def test_two_keys_do_not_share_answers():
    images = torch.zeros(ROWS, 1, 12, 12, dtype=torch.uint8)
    model = Counter()
    answers = PoolAnswers(model, images)
    one, two = (Proof(make_key(n), LABELS) for n in (1, 2))
    question = one.question()
    answers([(one.key, question), (two.key, question)])
    assert len(model.seen) == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_a_shuffled_proof_asks_for_the_rows_of_the_first_order(seed):
    order = np.random.default_rng(seed).permutation(ROWS)
    proof = Proof(make_key(), LABELS[order])
    trial = Shuffled(proof, order)
    question = trial.question()
    assert question.row == order[proof.question().row]
    run_together([trial], lambda questions: [LABELS[q.row] for _, q in questions])
    assert trial.question() is None
    assert proof.key_layer.queries > 0
    first = proof.key_layer.closed[0]
    rows = order[proof.key_layer.rows[: first["answers"]]]
    assert sum(first["votes"].values()) == len(rows)
    assert first["votes"] == {
        str(k): int((LABELS[rows] == k).sum()) for k in range(3) if (LABELS[rows] == k).any()
    }
