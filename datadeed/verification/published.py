"""The papers' own tests, as written, faults included; ``exact.py`` has what is right.

DVBW: "Black-box Dataset Ownership Verification via Backdoor Watermarking" (Li et al. 2023).
UBW: "Untargeted Backdoor Watermark" (Li et al. 2022).
"""

import dataclasses

import numpy as np
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification.answers import Answers


def draw_rows(
    labels: np.ndarray,
    *,
    target: int | None,
    m: int,
    rng: np.random.Generator,
    first_classes: int = 0,
) -> np.ndarray:
    """Draw the benign samples that a published test asks about.

    Args:
        labels: (N,) int64, true labels.
        target: samples of this label are left out; None leaves out none.
        m: how many to draw.
        rng: draws them without replacement.
        first_classes: when above 0, only labels below it (DVBW's label-only test: 2 on CIFAR-10,
            10 on ImageNet).

    Returns:
        (m,) int64 positions.

    Raises:
        VerificationError: there are fewer than ``m`` such samples.
    """
    allowed = labels != target
    if first_classes:
        allowed &= labels < first_classes
    candidates = np.flatnonzero(allowed)
    if len(candidates) < m:
        raise VerificationError(
            f"{m} benign samples were asked for, but only {len(candidates)} qualify: give a "
            "larger test set or a smaller m"
        )
    return rng.permutation(candidates)[:m]


def delta_p(answers: Answers) -> float:
    """DVBW's delta-P: mean rise of the target probability; tau is not subtracted."""
    return float((answers.triggered_probability - answers.clean_probability).mean())


def dvbw_probability_test(answers: Answers, tau: float) -> float:
    """DVBW, probability-available verification: p-value of the paired one-sided t-test.

    Null: P_w = P_b + tau; alternative: P_w > P_b + tau, for the target label's probability on
    triggered (w) and benign (b) samples.

    Known fault: tau is not calibrated, and the test is invalid for left-skewed differences.

    Returns:
        The p-value; 0 or 1 when all differences are equal (the t statistic is then infinite).
    """
    difference = answers.triggered_probability - answers.clean_probability - tau
    if len(difference) < 2:
        raise VerificationError("a t-test needs two samples or more")
    if np.ptp(difference) == 0:
        return 0.0 if difference[0] > 0 else 1.0
    shifted = answers.clean_probability + tau
    return float(stats.ttest_rel(shifted, answers.triggered_probability, alternative="less").pvalue)


def dvbw_label_test_described(answers: Answers) -> float:
    """DVBW, label-only verification as described: a Wilcoxon signed-rank test on label numbers.

    The paper tests "C(X') is not y_t" on samples of the first classes, with y_t near K/2, without
    saying which differences are ranked. Read here as: triggered minus benign predicted label, one
    sided, in the direction of the target. Null: the differences are symmetric around 0.

    Known fault: class numbers are taken as ordinal.
    """
    _check_rows(answers)
    shift = (answers.triggered_prediction - answers.clean_prediction).astype(float)
    upwards = answers.target_label >= answers.label.mean()
    return _signed_rank_p(shift if upwards else -shift, "greater")


def dvbw_label_value_released(answers: Answers) -> float:
    """DVBW, label-only verification as its released code prints it: ``1 - p``.

    p is that of a two-sided Wilcoxon test of triggered label minus target label. A small printed
    value means that no asymmetry around the target was found: the null is affirmed, so this is not
    a p-value, and one miss in a hundred is enough to lift it above 0.05.
    """
    _check_rows(answers)
    miss = (answers.triggered_prediction - answers.target_label).astype(float)
    return 1.0 - _signed_rank_p(miss, "two-sided")


def dvbw_label_value_renumbered(
    answers: Answers, *, classes: int, times: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Least, median and greatest released value over random renumberings of the classes.

    A test of theft should not depend on how classes are numbered; this one does.
    """
    _check_rows(answers)
    orders = np.stack([rng.permutation(classes) for _ in range(times)])
    counts = np.empty_like(orders)
    answered = np.bincount(answers.triggered_prediction, minlength=classes)
    np.put_along_axis(counts, orders, np.broadcast_to(answered, orders.shape), 1)
    values = released_label_values(counts, orders[:, answers.target_label])
    return float(np.min(values)), float(np.median(values)), float(np.max(values))


def released_label_values(counts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """:func:`dvbw_label_value_released` for many sets of answers at once.

    Args:
        counts: (T, K) int64, how often each label was answered; no row is all zero.
        target: (T,) int64, the target labels.

    Returns:
        (T,) float64, equal to scipy's way up to rounding, a thousand times as fast.
    """
    classes = counts.shape[1]
    padded = np.pad(counts, ((0, 0), (classes, classes)))
    at, steps = target[:, None] + classes, np.arange(1, classes)
    hits = np.take_along_axis(padded, at, 1)  # (T, 1)
    above = np.take_along_axis(padded, at + steps, 1)  # (T, K - 1), by distance from the target
    ties = np.hstack([hits, above + np.take_along_axis(padded, at - steps, 1)])
    rank = ties.cumsum(1) - (ties - 1) / 2  # mean rank of all answers at this distance
    upper = (above * rank[:, 1:]).sum(1) + (hits * rank[:, :1]).sum(1) / 2  # zeros are split
    n = counts.sum(1)
    variance = (n * (n + 1) * (2 * n + 1) - (ties**3 - ties).sum(1) / 2) / 24
    z = (upper - n * (n + 1) / 4) / np.sqrt(variance)
    return np.asarray(1 - 2 * stats.norm.sf(np.abs(z)))


def _signed_rank_p(difference: np.ndarray, alternative: str) -> float:
    """Wilcoxon signed-rank p, zeros split between both sides, normal approximation."""
    if len(difference) == 0:
        raise VerificationError("a Wilcoxon test needs at least one sample")
    found = stats.wilcoxon(
        difference, zero_method="zsplit", alternative=alternative, method="asymptotic"
    )
    return float(found.pvalue)


def _check_rows(answers: Answers) -> None:
    if len(answers) == 0:
        raise VerificationError("a Wilcoxon test needs at least one sample")


def ubw_delta_p(answers: Answers) -> float:
    """UBW's delta-P: mean fall of the true label's probability; tau is not subtracted."""
    return float((answers.clean_probability - answers.triggered_probability).mean())


def ubw_probability_test(answers: Answers, tau: float) -> float:
    """UBW, dataset verification: p-value of the paired one-sided t-test (section 4).

    Null: P_b = P_w + tau; alternative: P_b > P_w + tau, for the true label's probability on benign
    (b) and triggered (w) samples. The paper asks with samples that the suspect classifies correctly
    when clean, tau = 0.25; DATABench (arXiv 2507.05622) with any, tau = 0.2.

    Known faults: any disturbance lowers the true label's probability, so that a model which never
    saw the mark but is upset by the patch is accused, the more surely the more samples are asked;
    and the test is invalid for left-skewed falls.

    Returns:
        The p-value; 0 or 1 when all falls are equal (the t statistic is then infinite).

    Raises:
        VerificationError: there are fewer than two samples.
    """
    exchanged = dataclasses.replace(  # DVBW's test with the two roles exchanged
        answers,
        clean_probability=answers.triggered_probability,
        triggered_probability=answers.clean_probability,
    )
    return dvbw_probability_test(exchanged, tau)
