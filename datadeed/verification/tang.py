"""Tang et al.'s verification of one suspect: the published rates, and exact tests beside them.

"Did You Train on My Dataset?" (Tang et al. 2023). A sample's *rise* is the target label's
probability with the trigger less that without, -1 to 1, of samples of other classes. The published
watermark detection rate (WDR) repeats one Wilcoxon test on draws from one pool of one model's
rises. They share the pool, so that they are no independent tests (:func:`effective_repetitions`): a
WDR describes how surely 200 samples give this model away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, stats

from datadeed.errors import VerificationError
from datadeed.verification.answers import Answers
from datadeed.verification.exact import mcnemar_test
from datadeed.verification.metrics import (
    benign_accuracy,
    rate,
    watermark_success_rate,
    watermark_success_rate_as_released,
)
from datadeed.verification.sequential import BettingProcess

NOTE = (
    "descriptive: the repetitions draw from one pool of one model's answers, so that they are no "
    "independent tests"
)


@dataclass(frozen=True)
class Settings:
    """Tang et al.'s verification parameters.

    Attributes:
        m: samples a repetition asks about.
        repetitions: draws from the pool; 100 in the paper, 1,000 in the released code.
        certainty: rise of the target probability that an innocent model is granted (not
            calibrated); the exact test has the same margin.
        level: a repetition is significant when its p-value is below this.

    Raises:
        VerificationError: a value makes no sense.
    """

    m: int = 200
    repetitions: int = 100
    certainty: float = 0.1
    level: float = 0.05

    def __post_init__(self) -> None:
        counts = self.m >= 1 and self.repetitions >= 1
        if not counts or not -1 < self.certainty < 1 or not 0 < self.level < 1:
            raise VerificationError(
                f"m {self.m}, repetitions {self.repetitions}, certainty {self.certainty}, level "
                f"{self.level}: need counts of 1 or more, a certainty between -1 and 1, a level "
                "between 0 and 1"
            )


def rates(answers: Answers) -> dict[str, Any]:
    """Accuracy, TSR without and with samples of the target class, and counts of each class.

    Returns:
        JSON values: ``ba``; ``tsr``, triggered samples of other classes that get the target label;
        ``tsr_as_published``, the same over all samples, as the released code counts; ``classes``,
        for each true label its samples ``n`` and how many of them got the target label, ``hits``.

    Raises:
        VerificationError: no sample is left to count, or the watermark has no target.
    """
    hit = answers.triggered_prediction == answers.target_label
    classes = [
        {"label": int(label), "n": int(own.sum()), "hits": int((hit & own).sum())}
        for label in np.unique(answers.label)
        for own in [answers.label == label]
    ]
    return {
        "ba": benign_accuracy(answers).record(),
        "tsr": watermark_success_rate(answers).record(),
        "tsr_as_published": watermark_success_rate_as_released(answers).record(),
        "classes": classes,
    }


def accuracy_drop(benign: Answers, watermarked: Answers) -> dict[str, Any]:
    """AD: accuracy of a model trained on benign data less that of one trained on marked data.

    Args:
        benign, watermarked: the two models' answers to the same samples in the same order.

    Returns:
        JSON values: ``value`` in percentage points, above 0 when the mark costs accuracy; its
        ``standard_error`` in points, of paired answers: it covers the choice of test samples, not
        the luck of two trainings; ``n``; ``lost`` and ``gained``, samples that one model alone
        classifies correctly.

    Raises:
        VerificationError: the answers are about different samples, or fewer than two.
    """
    if not np.array_equal(benign.index, watermarked.index):
        raise VerificationError(
            "the two models answered about different samples: ask both about the same test set"
        )
    before = benign.clean_prediction == benign.label
    after = watermarked.clean_prediction == watermarked.label
    if len(before) < 2:
        raise VerificationError("an accuracy drop needs two samples or more")
    points = 100 * (before.astype(float) - after)
    return {
        "value": float(points.mean()),
        "standard_error": float(points.std(ddof=1) / len(points) ** 0.5),
        "n": len(points),
        "lost": int((before & ~after).sum()),
        "gained": int((after & ~before).sum()),
    }


def verify_tang(
    answers: Answers, *, settings: Settings, rng: np.random.Generator
) -> dict[str, Any]:
    """Run the published test and the exact ones on a suspect's answers.

    Args:
        answers: on benign test samples; those of the target class are left out.
        settings: m, repetitions and the margin.
        rng: draws the repetitions.

    Returns:
        JSON values: ``n``, the pool; ``wdr``, as :func:`detection_rate`; ``mcnemar``, of labels;
        ``rise``, as :func:`rise_test`.

    Raises:
        VerificationError: the watermark has no target, or the pool is smaller than m.
    """
    pool = answers.take(answers.label != answers.target_label)
    rises = pool.triggered_probability - pool.clean_probability
    return {
        "n": len(pool),
        "wdr": detection_rate(rises, settings=settings, rng=rng),
        "mcnemar": mcnemar_test(pool).record(),
        "rise": rise_test(rises, settings.certainty),
    }


def detection_rate(
    rises: np.ndarray, *, settings: Settings, rng: np.random.Generator
) -> dict[str, Any]:
    """WDR: share of repetitions whose Wilcoxon test finds the rises above the certainty.

    Each repetition draws m rises without replacement, anew from the whole pool. The rises are also
    cut into disjoint groups of m, in random order, whose tests share no sample.

    Args:
        rises: (N,) float64, of samples of other classes than the target.
        settings: m, repetitions, certainty, level.
        rng: draws.

    Returns:
        JSON values: ``value`` (0 to 1) and ``significant`` of ``repetitions``; ``effective``, to
        how many independent tests that many repetitions amount at most (see
        :func:`effective_repetitions`); ``disjoint``, the rate of significant groups; ``note``.

    Raises:
        VerificationError: there are fewer than m rises.
    """
    m, pool = settings.m, len(rises)
    if pool < m:
        raise VerificationError(
            f"the detection rate asks about {m} samples at a time, but only {pool} are of other "
            "classes than the target: give a larger test set or a smaller m"
        )
    significant = significant_repetitions(rng, rises - settings.certainty, settings)
    groups = rng.permutation(rises - settings.certainty)[: pool // m * m].reshape(-1, m)
    return {
        "value": significant / settings.repetitions,
        "significant": significant,
        "repetitions": settings.repetitions,
        "m": m,
        "pool": pool,
        "certainty": settings.certainty,
        "level": settings.level,
        "effective": effective_repetitions(pool, settings),
        "disjoint": rate(signed_rank_p(groups) < settings.level).record(),
        "note": NOTE,
    }


def significant_repetitions(
    rng: np.random.Generator, differences: np.ndarray, settings: Settings
) -> int:
    """How many repetitions on one pool of rises less the certainty, (N,), are significant."""
    draws = [
        rng.choice(differences, settings.m, replace=False, shuffle=False)
        for _ in range(settings.repetitions)
    ]
    return int((signed_rank_p(np.stack(draws)) < settings.level).sum())


def effective_repetitions(pool: int, settings: Settings) -> float:
    """How many independent tests would scatter as much as the repetitions on one pool do.

    Over random pools of rises that are symmetric around the certainty, the statistics of two
    repetitions correlate as m / pool, the share of samples that they have in common. Taken as
    bivariate normal, their decisions then correlate as ``c = (P(both) - a^2) / (a - a^2)`` with
    the level a, and R of them have the variance of ``R / (1 + (R - 1) c)`` independent tests:
    from 1, where the pool of at least m rises is one draw, to R, where it is infinite.
    """
    bound, a = stats.norm.isf(settings.level), settings.level
    # P(both) - a^2, by Plackett's identity, with the correlation as the sine of an angle.
    both, _ = integrate.quad(
        lambda angle: np.exp(-(bound**2) / (1 + np.sin(angle))) / (2 * np.pi),
        0,
        np.arcsin(settings.m / pool),
    )
    correlation = both / (a - a * a)
    return float(settings.repetitions / (1 + (settings.repetitions - 1) * correlation))


def signed_rank_p(differences: np.ndarray) -> np.ndarray:
    """One-sided Wilcoxon signed-rank p-values, (R,), of (R, m) differences, as released.

    Zeros are dropped, the normal approximation takes no continuity correction, and the alternative
    is "greater"; a row of zeros alone, in which scipy has nothing to rank, gives 1. The null is a
    distribution symmetric around 0: skewed differences can be significant with a mean below 0.
    """
    p_values = np.ones(len(differences))
    some = (differences != 0).any(1)
    if some.any():
        p_values[some] = stats.wilcoxon(
            differences[some],
            zero_method="wilcox",
            correction=False,
            alternative="greater",
            method="asymptotic",
            axis=1,
        ).pvalue
    return p_values


def rise_test(rises: np.ndarray, certainty: float) -> dict[str, Any]:
    """E-value against "the trigger raises the target probability by ``certainty`` at most".

    That is about the mean over the samples' population, from which these are drawn independently;
    nothing is assumed about the rises' distribution. It does not depend on the samples' order.

    Returns:
        JSON values: ``mean``, ``null_mean``, ``n``, ``log_e`` (natural), ``p_value`` = 1/e.
    """
    process = BettingProcess((1 + certainty) / 2)
    for outcome in np.clip((1 + rises) / 2, 0, 1):
        process.update(float(outcome))
    return {
        "mean": float(rises.mean()),
        "null_mean": certainty,
        "n": len(rises),
        "log_e": process.log_e,
        "p_value": float(min(1.0, np.exp(-process.log_e))),
    }


def detection(
    watermarked: Sequence[float], benign: Sequence[float], *, least: float = 1.0
) -> dict[str, Any]:
    """Recall and precision of a test over models.

    Args:
        watermarked, benign: a WDR (0 to 1) of each model trained on marked and on benign data; or
            0 and 1, the decisions of another test.
        least: a model counts as detected from this WDR on.

    Returns:
        JSON values: ``recall``, detected of watermarked models; ``precision``, watermarked of
        detected ones, None when nothing was detected (it depends on how many models of either kind
        were tried); ``false_alarms``, detected of benign ones; each with its exact interval.
        ``wdr`` and ``wdr_benign``: means over models.

    Raises:
        VerificationError: there is no model of one kind.
    """
    if not len(watermarked) or not len(benign):
        raise VerificationError(
            f"{len(watermarked)} watermarked and {len(benign)} benign models: recall and false "
            "alarms need one of either at least"
        )
    hits, alarms = np.asarray(watermarked) >= least, np.asarray(benign) >= least
    right = np.concatenate([np.ones(hits.sum(), bool), np.zeros(alarms.sum(), bool)])
    return {
        "least": least,
        "recall": rate(hits).record(),
        "precision": rate(right).record() if len(right) else None,
        "false_alarms": rate(alarms).record(),
        "wdr": float(np.mean(watermarked)),
        "wdr_benign": float(np.mean(benign)),
    }
