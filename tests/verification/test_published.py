import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification import published

REPETITIONS = 2000


def within(p, n=REPETITIONS):
    """Four binomial sd of the difference of two simulations of this size."""
    return 4 * (2 * max(p * (1 - p), 1 / n) / n) ** 0.5


def scipy_value(counts, target):
    """The released value by scipy itself, from how often each label was answered."""
    miss = np.repeat(np.arange(len(counts)), counts) - target
    p = stats.wilcoxon(miss.astype(float), zero_method="zsplit", method="asymptotic").pvalue
    return 1 - p


@pytest.mark.parametrize(
    ("misses", "value"),
    [(0, 0), (1, 0.156), (2, 0.304), (3, 0.438), (5, 0.657), (10, 0.930)],
)
def test_the_released_value_for_misses_of_one_sign(make_answers, misses, value):
    """The table in research/watermarks.md, B1: 100 samples, target 0."""
    for other in (1, 9):
        answers = make_answers([0] * (100 - misses) + [other] * misses)
        assert published.dvbw_label_value_released(answers) == pytest.approx(value, abs=5e-4)


def simulated_counts(rate, target, m, seed=4):
    """Answers of a model that hits at ``rate``, with misses uniform over the other nine labels."""
    share = np.full(10, (1 - rate) / 9)
    share[target] = rate
    return np.random.default_rng(seed).multinomial(m, share, REPETITIONS)


@pytest.mark.parametrize(
    ("rate", "target", "found"),
    [
        (1.0, 0, 1.0),
        (1.0, 4, 1.0),
        (0.99, 0, 0.373),
        (0.99, 1, 0.411),
        (0.99, 4, 0.456),
        (0.99, 9, 0.366),
        (0.95, 0, 0.004),
        (0.95, 1, 0.040),
        (0.95, 4, 0.170),
        (0.90, 4, 0.121),
        (0.60, 0, 0.0),
        (0.60, 4, 0.036),
    ],
)
def test_the_released_rule_misses_watermarked_models(rate, target, found):
    """Detection rates of research/statistics.md 0.1: m = 100, rule "value <= 0.05"."""
    values = published.released_label_values(
        simulated_counts(rate, target, 100), np.full(REPETITIONS, target)
    )
    assert (values <= 0.05).mean() == pytest.approx(found, abs=within(found))


@pytest.mark.parametrize(
    ("m", "target", "found"),
    [(10, 0, 0.0), (10, 4, 0.048), (10, 5, 0.057), (30, 4, 0.031), (100, 4, 0.007), (100, 9, 0.0)],
)
def test_the_released_rule_accuses_innocent_models(m, target, found):
    """False accusations of research/statistics.md 0.1: the trigger has no effect."""
    values = published.released_label_values(
        simulated_counts(0.0, target, m), np.full(REPETITIONS, target)
    )
    assert (values <= 0.05).mean() == pytest.approx(found, abs=within(found))


def test_a_model_that_never_hits_can_look_perfect(make_answers):
    """Half one class below the target, half one above: the value is 0, as if all were hits."""
    answers = make_answers([3, 5] * 50, target=4)
    assert published.dvbw_label_value_released(answers) == 0


@given(
    counts=st.lists(st.integers(0, 30), min_size=2, max_size=12).filter(any),
    data=st.data(),
)
@settings(deadline=None)
def test_the_fast_way_equals_scipys(make_answers, counts, data):
    target = data.draw(st.integers(0, len(counts) - 1))
    found = published.released_label_values(np.array([counts]), np.array([target]))
    expected = scipy_value(counts, target)
    assert found == pytest.approx([expected], abs=1e-12)
    answers = make_answers(np.repeat(np.arange(len(counts)), counts), target=target)
    assert published.dvbw_label_value_released(answers) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("classes", "target", "rate"), [(2, 1, 0.7), (10, 4, 0.97), (200, 7, 0.3)])
def test_renumbered_values_are_those_of_scipy_one_by_one(make_answers, classes, target, rate):
    draw = np.random.default_rng(6)
    answered = np.where(draw.random(100) < rate, target, draw.integers(0, classes, 100))
    answers = make_answers(answered, target=target)
    low, median, high = published.dvbw_label_value_renumbered(
        answers, classes=classes, times=50, rng=np.random.default_rng(7)
    )
    values, rng = [], np.random.default_rng(7)
    for _ in range(50):
        order = rng.permutation(classes)
        renumbered = make_answers(order[answered], target=int(order[target]))
        values.append(published.dvbw_label_value_released(renumbered))
    expected = (min(values), float(np.median(values)), max(values))
    assert (low, median, high) == pytest.approx(expected, abs=1e-12)


def test_the_released_value_depends_on_the_numbering(make_answers):
    answers = make_answers([4] * 96 + [5, 6, 7, 8], target=4)
    low, _, high = published.dvbw_label_value_renumbered(
        answers, classes=10, times=500, rng=np.random.default_rng(1)
    )
    assert low < 0.05
    assert high > 0.5


def test_the_described_test_by_hand(make_answers):
    """Shifts towards a higher target count upwards, towards a lower one downwards."""
    up = make_answers([4] * 20, clean=[0, 1] * 10, label=[0, 1] * 10, target=4)
    shift = np.array([4.0, 3.0] * 10)
    expected = stats.wilcoxon(shift, alternative="greater", method="asymptotic").pvalue
    assert published.dvbw_label_test_described(up) == pytest.approx(expected)
    down = make_answers([0] * 20, clean=[3, 4] * 10, label=[3, 4] * 10, target=0)
    assert published.dvbw_label_test_described(down) == pytest.approx(
        stats.wilcoxon(np.array([3.0, 4.0] * 10), alternative="greater", method="asymptotic").pvalue
    )
    still = make_answers([0, 1] * 10, clean=[0, 1] * 10, label=[0, 1] * 10, target=4)
    assert published.dvbw_label_test_described(still) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "test",
    [
        published.dvbw_label_test_described,
        published.dvbw_label_value_released,
        lambda a: published.dvbw_label_value_renumbered(
            a, classes=3, times=2, rng=np.random.default_rng(0)
        ),
    ],
)
def test_no_answers_are_refused(make_answers, test):
    with pytest.raises(VerificationError, match="needs at least one sample"):
        test(make_answers([]))


def test_delta_p_by_hand(make_answers):
    answers = make_answers([0, 0, 1], before=[0.1, 0.2, 0.3], after=[0.9, 0.8, 0.1])
    assert published.delta_p(answers) == pytest.approx((0.8 + 0.6 - 0.2) / 3)


def test_the_t_test_by_hand(make_answers):
    """Differences .5, .7, .9 less tau .2: mean .5, sd .2, t = .5 / (.2 / sqrt 3), 2 degrees."""
    answers = make_answers([0, 0, 0], before=[0.1, 0.1, 0.0], after=[0.6, 0.8, 0.9])
    expected = stats.t.sf(0.5 / (0.2 / 3**0.5), 2)
    assert published.dvbw_probability_test(answers, 0.2) == pytest.approx(expected)


@given(
    pairs=st.lists(st.tuples(st.floats(0, 0.5), st.floats(0.01, 0.5)), min_size=3, max_size=20),
    tau=st.floats(0.01, 0.5),
)
@settings(deadline=None)
def test_the_t_test_is_scipys_one_sample_test(make_answers, pairs, tau):
    before, rise = np.array(pairs).T
    after = before + rise
    difference = after - before - tau
    if np.ptp(difference) < 1e-6:  # rounding decides then
        return
    answers = make_answers([0] * len(pairs), before=before, after=after)
    expected = stats.ttest_1samp(difference, 0, alternative="greater").pvalue
    assert published.dvbw_probability_test(answers, tau) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("after", "p"), [(1.0, 0.0), (0.25, 0.0), (0.125, 1.0), (0.0, 1.0)])
def test_equal_differences_decide_outright(make_answers, after, p):
    answers = make_answers([0] * 9, before=[0.0] * 9, after=[after] * 9)
    assert published.dvbw_probability_test(answers, 0.125) == p


def test_one_sample_is_too_few_for_a_t_test(make_answers):
    with pytest.raises(VerificationError, match="two samples or more"):
        published.dvbw_probability_test(make_answers([0]), 0.2)


def rejections(make_answers, low, high, share, repetitions=1500):
    """How often p <= 0.01 when a pair is (before, after) = low with this chance, else high."""
    draw, count = np.random.default_rng(9), 0
    for _ in range(repetitions):
        is_low = draw.random(100) < share
        before, after = (np.where(is_low, low[i], high[i]) for i in (0, 1))
        answers = make_answers([0] * 100, before=before, after=after)
        count += published.dvbw_probability_test(answers, 0.2) <= 0.01
    return count / repetitions


def test_the_t_test_breaks_on_left_skew(make_answers):
    """Rise .212 with probability .99, else -1: the mean is below tau, yet 37 % are claimed."""
    found = rejections(make_answers, low=(1.0, 0.0), high=(0.5, 0.712), share=0.01)
    assert found == pytest.approx(0.366, abs=4 * (0.366 * 0.634 / 1500) ** 0.5)


def test_the_t_test_is_conservative_on_hard_answers(make_answers):
    """Rise 1 with probability .2 = tau, else 0: .006 at level .01 (statistics.md, B iv)."""
    found = rejections(make_answers, low=(0.0, 1.0), high=(0.0, 0.0), share=0.2)
    assert 0 < found < 0.01 + 3 * (0.01 * 0.99 / 1500) ** 0.5
    assert found == pytest.approx(0.006, abs=4 * (0.006 * 0.994 / 1500) ** 0.5)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    target=st.none() | st.integers(0, 4),
    first=st.integers(0, 5),
    m=st.integers(1, 20),
)
def test_draw_rows_takes_what_qualifies(labels, target, first, m):
    labels = np.array(labels)
    qualify = np.array([label != target for label in labels]) & (
        (labels < first) if first else True
    )
    values = {"target": target, "m": m, "first_classes": first}
    if qualify.sum() < m:
        with pytest.raises(VerificationError, match=f"{m} benign .* only {qualify.sum()} qualify"):
            published.draw_rows(labels, rng=np.random.default_rng(0), **values)
        return
    rows = published.draw_rows(labels, rng=np.random.default_rng(0), **values)
    assert len(set(rows.tolist())) == m
    assert qualify[rows].all()
    again = published.draw_rows(labels, rng=np.random.default_rng(0), **values)
    assert np.array_equal(rows, again)


def test_every_sample_is_as_likely_to_be_drawn():
    """3 of 9, 3,000 times: each count within 4.5 binomial sd of 1,000."""
    rng, counts = np.random.default_rng(5), np.zeros(10)
    for _ in range(3000):
        counts[published.draw_rows(np.arange(10), target=9, m=3, rng=rng)] += 1
    assert counts[9] == 0
    assert np.abs(counts[:9] - 1000).max() < 4.5 * (3000 * 2 / 9) ** 0.5


def test_dvbws_label_tests_need_a_target(make_answers):
    answers = make_answers([0, 1], target=None)
    for test in (published.dvbw_label_test_described, published.dvbw_label_value_released):
        with pytest.raises(VerificationError, match="of an untargeted watermark"):
            test(answers)


def test_ubws_test_by_hand(make_answers):
    """Falls .5, .7, .9 less tau .25: mean .45, sd .2, t = .45 / (.2 / sqrt 3), 2 degrees."""
    answers = make_answers([0] * 3, target=None, before=[0.6, 0.8, 0.9], after=[0.1, 0.1, 0.0])
    assert published.ubw_delta_p(answers) == pytest.approx(0.7)
    expected = stats.t.sf(0.45 / (0.2 / 3**0.5), 2)
    assert published.ubw_probability_test(answers, 0.25) == pytest.approx(expected)


@given(
    pairs=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=20),
    tau=st.floats(0.01, 0.5),
)
@settings(max_examples=40)
def test_ubws_test_is_scipys_one_sample_test(make_answers, pairs, tau):
    before, after = np.array(pairs).T
    fall = before - after
    if np.ptp(fall) < 1e-6:  # rounding decides then
        return
    answers = make_answers([0] * len(pairs), target=None, before=before, after=after)
    expected = stats.ttest_1samp(fall, tau, alternative="greater").pvalue
    assert published.ubw_probability_test(answers, tau) == pytest.approx(expected, rel=1e-4)
    assert published.ubw_delta_p(answers) == pytest.approx(fall.mean())


@pytest.mark.parametrize(("after", "p"), [(0.0, 0.0), (0.75, 0.0), (0.875, 1.0), (1.0, 1.0)])
def test_equal_falls_decide_outright(make_answers, after, p):
    answers = make_answers([0] * 9, target=None, before=[1.0] * 9, after=[after] * 9)
    assert published.ubw_probability_test(answers, 0.125) == p


def test_ubws_test_needs_two_samples(make_answers):
    with pytest.raises(VerificationError, match="two samples or more"):
        published.ubw_probability_test(make_answers([0], target=None), 0.25)


def test_ubws_test_accuses_a_model_that_a_patch_upsets(make_answers):
    """Falls of Beta(3, 7), mean .3: no mark was learnt, yet over half are claimed at .01."""
    draw, count = np.random.default_rng(10), 0
    for _ in range(400):
        after = 1 - draw.beta(3, 7, 100)
        answers = make_answers([0] * 100, target=None, before=[1.0] * 100, after=after)
        count += published.ubw_probability_test(answers, 0.25) <= 0.01
    assert count > 200
