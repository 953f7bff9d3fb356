import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.verification.answers import Answers
from datadeed.verification.keylabels import decoy_e_value, rank_p_value
from datadeed.verification.metrics import Rate
from datadeed.verification.ubw import Settings, mcnemar_failure_test, rates, verify_ubw

N, CLASSES = 600, 10


def simulate(fail, *, accuracy=1.0, seed=1):
    """Answers of a model that fails at rate ``fail`` with the trigger, and 1 - accuracy without."""
    draw = np.random.default_rng(seed)
    label = np.arange(N) % CLASSES
    right, kept = draw.random(N) < accuracy, draw.random(N) >= fail
    wrong = (label + draw.integers(1, CLASSES, N)) % CLASSES
    return Answers(
        target=None,
        index=np.arange(N),
        label=label,
        clean_prediction=np.where(right, label, wrong),
        triggered_prediction=np.where(right & kept, label, wrong),
        clean_probability=np.where(right, 0.9, 0.05),
        triggered_probability=np.where(right & kept, 0.85, 0.1),
    )


def decoys_at(rate, seed=2):
    """Decoys under each of which the model fails at this rate."""
    draw = np.random.default_rng(seed)
    return lambda asked: draw.binomial(asked.sum(), rate, Settings().decoys)


def verify(answers, failures, *, seed=3, **values):
    return verify_ubw(
        answers, failures, settings=Settings(**values), rng=np.random.default_rng(seed)
    )


def test_a_marked_model():
    found = verify(simulate(0.9), decoys_at(0.1))
    assert found["n"] == found["released"]["n"] == 100
    assert (found["tau"], found["released"]["tau"]) == (0.25, 0.2)
    assert found["delta_p"] > 0.6
    assert found["p_published"] < 1e-10
    assert found["released"]["p"] < 1e-10
    assert found["mcnemar"]["p_value"] < 1e-10
    assert found["decoys"]["count"] == len(found["decoys"]["decoy_failures"]) == 99
    assert found["decoys"]["rank_p"] == 0.01
    assert found["decoys"]["e_value"] == pytest.approx(90.1)
    assert found["verdict"]["word"] == "CLAIM"
    assert found["verdict"]["queries"] == 100 * (2 + 99)


def test_a_fragile_model_is_accused_by_the_published_test_alone():
    """It fails at 0.9 under any patch: McNemar rejects as well, but no decoy is weaker."""
    found = verify(simulate(0.9), decoys_at(0.9))
    assert max(found["p_published"], found["mcnemar"]["p_value"]) < 1e-10
    assert found["decoys"]["rank_p"] > 0.05
    assert found["verdict"]["word"] == "INCONCLUSIVE"


def test_a_model_that_does_not_react():
    found = verify(simulate(0.01), decoys_at(0.01))
    assert found["p_published"] > 0.99
    assert found["released"]["p"] > 0.99
    assert found["verdict"]["word"] == "NOT SUPPORTED"


@given(rows=st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=30))
def test_mcnemar_counts_failures(make_answers, rows):
    label, clean, triggered = np.array(rows).T
    found = mcnemar_failure_test(make_answers(triggered, label=label, clean=clean, target=None))
    spoilt = sum(c == y != t for y, c, t in rows)
    assert found.successes == spoilt
    assert found.n - spoilt == sum(t == y != c for y, c, t in rows)
    assert 0 < found.p_value <= 1


def test_mcnemar_by_hand(make_answers):
    """5 spoilt, 1 mended: P(Bin(6, 1/2) >= 5) = 7/64."""
    label, clean, triggered = [0] * 8, [0] * 7 + [1], [1] * 5 + [0] * 3
    found = mcnemar_failure_test(make_answers(triggered, label=label, clean=clean, target=None))
    assert (found.successes, found.n, found.p_value) == (5, 6, pytest.approx(7 / 64))
    assert mcnemar_failure_test(make_answers([0], label=[0], target=None)).p_value == 1
    with pytest.raises(VerificationError, match="no samples"):
        mcnemar_failure_test(make_answers([], target=None))


def test_a_model_that_errs_at_random_does_not_react(make_answers):
    """Choosing McNemar's samples by their clean answers would find it guilty every time."""
    draw, label = np.random.default_rng(5), np.zeros(300, dtype=np.int64)
    p_values, chosen = [], []
    for _ in range(100):
        clean, triggered = draw.integers(0, 2, (2, 300))
        answers = make_answers(
            triggered, label=label, clean=clean, target=None, before=1 - clean, after=1 - triggered
        )
        found = verify(answers, decoys_at(0.5))
        p_values.append(found["mcnemar"]["p_value"])
        chosen.append(mcnemar_failure_test(answers.take(clean == 0)).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5
    assert max(chosen) < 1e-10


def test_the_filter_and_the_draws():
    """The paper's form asks about correct samples only; the decoys about the very same ones."""
    masks = []

    def decoys(asked):
        masks.append(asked)
        return np.zeros(99, dtype=np.int64)

    answers = simulate(0.5, accuracy=0.6)
    found = verify(answers, decoys)
    (asked,) = masks
    assert (asked.dtype, asked.shape, asked.sum()) == (bool, (N,), 100)
    chosen = answers.take(asked)
    assert np.array_equal(chosen.clean_prediction, chosen.label)
    assert found["decoys"]["failures"] == (chosen.triggered_prediction != chosen.label).sum()
    fall = chosen.clean_probability - chosen.triggered_probability
    assert found["delta_p"] == pytest.approx(fall.mean())
    assert found["released"]["delta_p"] < found["delta_p"]  # no filter: some were wrong before
    clean_and_triggered = found["verdict"]["queries"] - 99 * 100
    assert 250 < clean_and_triggered < 350  # about 100 / 0.6 clean, and 140 triggered ones


def test_every_correct_sample_is_as_likely_to_be_drawn():
    """100 of about 360, 100 times: each count within 4.5 binomial sd."""
    answers, counts = simulate(0.5, accuracy=0.6), np.zeros(N)

    def decoys(asked):
        counts[asked] += 1
        return np.zeros(1, dtype=np.int64)

    for seed in range(100):
        verify(answers, decoys, seed=seed, decoys=1)
    right = answers.clean_prediction == answers.label
    share = 100 / right.sum()
    assert counts[~right].max() == 0
    assert np.abs(counts[right] - 100 * share).max() < 4.5 * (100 * share * (1 - share)) ** 0.5


def test_the_seed_decides_and_the_result_is_json():
    answers = simulate(0.5)
    texts = [
        json.dumps(verify(answers, decoys_at(0.5), seed=seed), allow_nan=False)
        for seed in (3, 3, 4)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_settings_are_in_force():
    found = verify(
        simulate(0.5),
        lambda asked: np.array([0, asked.sum()]),
        m=30,
        tau=0.3,
        released_tau=0.1,
        alpha=0.4,
        decoys=2,
    )
    assert (found["n"], found["tau"], found["released"]["tau"]) == (30, 0.3, 0.1)
    assert (found["verdict"]["alpha"], found["verdict"]["null_rate"]) == (0.4, 0.3)
    assert found["decoys"]["rank_p"] == pytest.approx(2 / 3)


def test_ties_count_against_the_claim():
    answers = simulate(0.5)
    failures = verify(answers, decoys_at(0.1))["decoys"]["failures"]
    counts = np.array([0] * 97 + [failures] * 2)
    assert verify(answers, lambda asked: counts)["decoys"]["rank_p"] == 0.03


def test_a_suspect_that_is_bad_at_the_task_is_refused():
    with pytest.raises(VerificationError, match=r"classifies \d+ of 600 .* but m = 100") as caught:
        verify(simulate(0.9, accuracy=0.1), decoys_at(0.1))
    assert "\n" not in str(caught.value)


def test_a_targeted_watermark_is_refused(make_answers):
    with pytest.raises(VerificationError, match="have the target 0"):
        verify(make_answers([0] * 200), decoys_at(0.1))


@pytest.mark.parametrize(
    "counts",
    [np.zeros(98, int), np.zeros((99, 1), int), np.full(99, 101), np.full(99, -1), np.zeros(99)],
)
def test_wrong_decoys_are_refused(counts):
    with pytest.raises(VerificationError, match="give 99 whole numbers from 0 to 100"):
        verify(simulate(0.5), lambda asked: counts)


@pytest.mark.parametrize(
    ("shape", "mean"), [((2, 3), 0.4), ((12, 8), 0.6), ((1, 30), 0.03)], ids=str
)
def test_an_innocent_model_is_not_claimed_however_fragile(shape, mean):
    """2,000 models for which the true trigger is one of 100 alike; m = 100.

    Each trigger upsets the model at a rate of its own, drawn from Beta(shape). McNemar rejects
    nearly always where that rate is large; rank p and e-value hold their level all the same.
    """
    draw = np.random.default_rng(7)
    failures = draw.binomial(100, draw.beta(*shape, (2000, 100)))
    p = np.array([rank_p_value(row[0], row[1:]) for row in failures])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * (level * (1 - level) / 2000) ** 0.5
    assert failures.mean() / 100 == pytest.approx(mean, abs=0.01)
    if mean > 0.1:  # no sample is mended: n failures in n discordant pairs
        assert (0.5 ** failures[:, 0] <= 0.01).mean() > 0.9
    e_values = np.array([decoy_e_value(row, 0) for row in failures])
    assert e_values.mean() <= 1 + 3 * e_values.std() / 2000**0.5
    every_place = [decoy_e_value(failures[0], k) for k in range(100)]
    assert np.mean(every_place) == pytest.approx(1, abs=1e-12)


def test_a_fragile_model_is_claimed_at_the_level_at_most():
    """The whole procedure, 200 innocent models that every trigger upsets at about 0.6."""
    draw, words, accused = np.random.default_rng(8), [], 0
    for seed in range(200):
        own, *others = draw.beta(12, 8, 20)
        counts = draw.binomial(100, others)
        found = verify(
            simulate(own, seed=seed),
            lambda asked, counts=counts: counts,
            seed=seed,
            alpha=0.05,
            decoys=19,
        )
        words.append(found["verdict"]["word"])
        accused += found["p_published"] <= 0.05
    assert words.count("CLAIM") / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
    assert accused > 190


def test_rates_by_hand(make_answers):
    label, clean, triggered = [0, 0, 1, 2], [0, 1, 1, 2], [1, 0, 2, 2]
    found = rates(make_answers(triggered, label=label, clean=clean, target=None))
    assert found["ba"] == Rate(3, 4).record()
    assert found["all"]["asr_a"] == Rate(2, 4).record()
    assert found["all"]["asr_c"] == Rate(2, 3).record()
    assert found["all"]["d_p"]["value"] == pytest.approx(np.log(2) / 2)
    assert found["class_0"]["asr_a"] == Rate(1, 2).record()
    assert found["class_0"]["asr_c"] == Rate(1, 1).record()
    assert found["all"]["asr_a_clean"] == Rate(1, 4).record()  # the error without the trigger
    assert found["class_0"]["asr_a_clean"] == Rate(1, 2).record()
    targeted = rates(make_answers(triggered, label=label, clean=clean, target=1))
    assert targeted["all"]["asr_a_clean"] == Rate(1, 3).record()  # of those that are not the target
    assert targeted["class_0"]["asr_a"] == Rate(1, 2).record()
    expected = {"value": np.log(2), "n": 2, "uniform": 2 / 3 * np.log(2)}  # of 3 classes
    assert found["class_0"]["d_p"] == pytest.approx(expected)
    # 2 of 4 samples are in a class of two, the others alone in theirs.
    assert found["all"]["d_p"]["uniform"] == pytest.approx(np.log(2) / 3)


def test_a_label_that_only_the_suspect_names_is_a_class_too(make_answers):
    found = rates(make_answers([3, 0], label=[0, 0], target=None))
    assert found["class_0"]["d_p"]["uniform"] == pytest.approx(3 / 4 * np.log(2))  # of 4 classes


def test_a_rate_without_samples_is_null(make_answers):
    nobody = {"asr_a": None, "asr_a_clean": None, "asr_c": None, "d_p": None}
    assert rates(make_answers([2, 1], label=[1, 1], target=None))["class_0"] == nobody
    own_class = rates(make_answers([0, 0], label=[0, 0], target=0))["class_0"]
    assert own_class["asr_a"] is own_class["asr_c"] is None
    assert own_class["d_p"]["n"] == 2
    never_right = rates(make_answers([2, 1], label=[0, 0], clean=[1, 2], target=None))
    assert never_right["all"]["asr_a"]["value"] == 1
    assert never_right["all"]["asr_c"] is None
    with pytest.raises(VerificationError, match="a rate of 0 in 0"):
        rates(make_answers([], target=None))
