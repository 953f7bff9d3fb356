import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification.exact import binomial_test, mcnemar_test

REPETITIONS = 10_000


@given(n=st.integers(1, 150), share=st.floats(0, 1), null=st.floats(0.01, 0.99))
def test_binomial_equals_scipys(make_answers, n, share, null):
    hits = round(share * n)
    found = binomial_test(make_answers([0] * hits + [1] * (n - hits)), null)
    expected = stats.binomtest(hits, n, null, alternative="greater").pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert (found.successes, found.n, found.null_rate) == (hits, n, null)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (0, 0, 1),
        (1, 0, 0.5),
        (3, 0, 0.125),
        (0, 3, 1),
        (2, 1, 0.5),
        (5, 1, 7 / 64),
        (10, 2, 79 / 4096),
    ],
)
def test_mcnemar_by_hand(make_answers, gained, lost, p):
    """P(Bin(gained + lost, 1/2) >= gained); rows where both answers agree do not count."""
    clean = [1] * gained + [0] * lost + [0, 0, 1, 2]
    triggered = [0] * gained + [1] * lost + [0, 0, 2, 1]
    found = mcnemar_test(make_answers(triggered, clean=clean, label=[1] * len(clean)))
    assert found.p_value == pytest.approx(p)
    assert (found.successes, found.n, found.null_rate) == (gained, gained + lost, 0.5)


@pytest.mark.parametrize("alpha", [0.01, 0.05])
@pytest.mark.parametrize(("m", "rate"), [(20, 0.2), (100, 0.2), (100, 0.05)])
def test_binomial_errs_at_most_alpha_at_the_boundary(make_answers, alpha, m, rate):
    """At most alpha plus 3 binomial sd of 10,000 repetitions."""
    p = np.array(
        [binomial_test(make_answers([0] * k + [1] * (m - k)), rate).p_value for k in range(m + 1)]
    )
    hits = np.random.default_rng(2).binomial(m, rate, REPETITIONS)
    bound = alpha + 3 * (alpha * (1 - alpha) / REPETITIONS) ** 0.5
    assert (p[hits] <= alpha).mean() <= bound
    assert (p[hits] <= alpha).mean() > 0  # it does reject now and then: the check can fail


@pytest.mark.parametrize("alpha", [0.01, 0.05])
@pytest.mark.parametrize("discordant", [0.1, 0.6])
def test_mcnemar_errs_at_most_alpha_at_the_boundary(make_answers, alpha, discordant):
    """100 samples, gains as likely as losses; at most alpha plus 3 binomial sd of 10,000."""
    share = [discordant / 2, discordant / 2, 1 - discordant]
    counts = np.random.default_rng(3).multinomial(100, share, REPETITIONS)[:, :2]
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    p = []
    for gained, lost in kinds:
        clean, triggered = [1] * gained + [0] * lost + [1], [0] * gained + [1] * lost + [1]
        answers = make_answers(triggered, clean=clean, label=[1] * len(clean))
        p.append(mcnemar_test(answers).p_value)
    rejected = float(((np.array(p) <= alpha) * times).sum() / REPETITIONS)
    assert 0 < rejected <= alpha + 3 * (alpha * (1 - alpha) / REPETITIONS) ** 0.5


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60
    ),
    order=st.permutations(range(6)),
)
def test_renumbering_the_classes_changes_nothing(make_answers, rows, order):
    label, clean, triggered = np.array(rows).T
    names = np.array(order)
    plain = make_answers(triggered, clean=clean, label=label, target=0)
    other = make_answers(
        names[triggered], clean=names[clean], label=names[label], target=int(names[0])
    )
    assert binomial_test(plain, 0.2) == binomial_test(other, 0.2)
    assert mcnemar_test(plain) == mcnemar_test(other)


@given(hits=st.integers(0, 99))
def test_more_hits_are_more_evidence(make_answers, hits):
    one, two = (make_answers([0] * k + [1] * (100 - k)) for k in (hits, hits + 1))
    assert binomial_test(two, 0.2).p_value < binomial_test(one, 0.2).p_value
    assert mcnemar_test(two).p_value <= mcnemar_test(one).p_value


@pytest.mark.parametrize("test", [lambda a: binomial_test(a, 0.2), mcnemar_test])
def test_rows_that_prove_nothing_are_refused(make_answers, test):
    with pytest.raises(VerificationError, match="no samples to test"):
        test(make_answers([]))
    with pytest.raises(VerificationError, match="samples of the target class"):
        test(make_answers([0, 1], label=[0, 1], clean=[0, 1]))


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_null_rate_out_of_range_is_refused(make_answers, rate):
    with pytest.raises(VerificationError, match="strictly between 0 and 1"):
        binomial_test(make_answers([0]), rate)


def test_a_record_holds_the_null_in_words(make_answers):
    record = binomial_test(make_answers([0, 1]), 0.2).record()
    assert record.pop("null").endswith("with probability at most 0.2")
    assert record == {"successes": 1, "n": 2, "null_rate": 0.2, "p_value": pytest.approx(0.36)}
