"""UBW's verification of one suspect: the published test, and the exact ones beside it.

An untargeted mark makes a model fail on triggered samples. So does any patch that hides something,
which is why the exact verdict rests on decoys: other triggers of the same family, asked with on the
same samples. Their rank test is exact if the owner drew the true trigger at random from that
family, as datadeed's own keys are. The paper's pattern was chosen by hand: there the rank is only
as good as the belief that the pattern is nothing special to models that never saw it.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification import published
from datadeed.verification.answers import Answers
from datadeed.verification.exact import ExactTest
from datadeed.verification.keylabels import decoy_e_value, rank_p_value
from datadeed.verification.metrics import (
    Rate,
    attack_success,
    attack_success_rate,
    attack_success_rate_correct,
    benign_accuracy,
    rate,
)
from datadeed.verification.verdict import untargeted_verdict
from datadeed.watermarks.dispersibility import (
    expected_prediction_dispersibility,
    prediction_dispersibility,
)

RELEASED_CLASS = 0  # the one class that the released code evaluates

DecoyFailures = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Settings:
    """UBW's verification parameters.

    Attributes:
        m: benign samples a test asks about.
        tau: margin of the paper's t-test; also the failure rate below which a mark is not
            supported (nominal: it was not calibrated on independent models).
        released_tau: margin of DATABench's form of the test.
        alpha: level of the verdict.
        decoys: other triggers of the family; the least rank p-value is 1 / (decoys + 1).
    """

    m: int = 100
    tau: float = 0.25
    released_tau: float = 0.2
    alpha: float = 0.01
    decoys: int = 99


def rates(answers: Answers) -> dict[str, Any]:
    """BA, and ASR-A, ASR-C and D_p over all samples and "as released", over class 0 alone.

    ``asr_a_clean`` is ASR-A of the same samples without the trigger: where there is no target, the
    error that the model makes anyway. What ASR-A has above it is the trigger's.

    D_p is of all these samples, those of the target class included, so that it compares methods;
    ``uniform`` is what a model that guesses uniformly would have at the same class sizes.

    Args:
        answers: to all test samples; K is taken from their labels, so every class must be there.

    Returns:
        JSON values; None for a rate without samples.

    Raises:
        VerificationError: there are no samples.
    """
    ba = benign_accuracy(answers).record()
    classes = 1 + int(max(answers.label.max(), answers.triggered_prediction.max()))
    return {
        "ba": ba,
        "all": _success(answers, classes),
        "class_0": _success(answers.take(answers.label == RELEASED_CLASS), classes),
    }


def _success(answers: Answers, classes: int) -> dict[str, Any]:
    if len(answers) == 0:
        return {"asr_a": None, "asr_a_clean": None, "asr_c": None, "d_p": None}
    clean = dataclasses.replace(answers, triggered_prediction=answers.clean_prediction)
    sizes = np.bincount(answers.label)
    return {
        "asr_a": _record(attack_success_rate, answers),
        "asr_a_clean": _record(attack_success_rate, clean),
        "asr_c": _record(attack_success_rate_correct, answers),
        "d_p": {
            "value": prediction_dispersibility(answers.triggered_prediction, answers.label),
            "n": len(answers),
            "uniform": expected_prediction_dispersibility(sizes, classes),
        },
    }


def _record(rate_of: Callable[[Answers], Rate], answers: Answers) -> dict[str, Any] | None:
    try:
        return rate_of(answers).record()
    except VerificationError:  # nobody to count
        return None


def verify_ubw(
    answers: Answers,
    decoy_failures: DecoyFailures,
    *,
    settings: Settings,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Run UBW's test in both forms and the exact tests on a suspect's answers.

    The released form and McNemar's test ask about m samples drawn from all; the paper's form and
    the decoys about m of those that the suspect classifies correctly when clean. m is fixed
    beforehand: a suspect that gets fewer right is no model of this task, and is refused instead of
    being judged by what is left.

    Args:
        answers: clean and triggered answers of an untargeted watermark on benign test samples.
        decoy_failures: takes (N,) bool, which samples to ask about; gives (K,) int64, how many of
            them the suspect gets wrong under each decoy.
        settings: m, the margins, the level and K.
        rng: draws the order.

    Returns:
        JSON values: the published test, ``released``, ``mcnemar``, ``decoys``, ``verdict``.

    Raises:
        VerificationError: the watermark has a target, too few samples are classified correctly, or
            the decoys' failures are not K counts from 0 to m.
    """
    if answers.target is not None:
        raise VerificationError(
            f"UBW's verification is of untargeted watermarks, but these answers have the target "
            f"{answers.target}: verify them with DVBW's"
        )
    m = settings.m
    right, drawn, queries = draw(answers, m, rng)
    decoys = _checked(decoy_failures(np.isin(np.arange(len(answers)), right)), settings)
    correct, anyone = answers.take(right), answers.take(drawn)
    failures, mcnemar = rate(attack_success(correct)), mcnemar_failure_test(anyone)
    rank_p = rank_p_value(failures.hits, decoys)
    verdict = untargeted_verdict(
        mcnemar,
        rank_p,
        failures,
        tau=settings.tau,
        alpha=settings.alpha,
        queries=queries + settings.decoys * m,
    )
    return {
        "n": m,
        "tau": settings.tau,
        "delta_p": published.ubw_delta_p(correct),
        "p_published": published.ubw_probability_test(correct, settings.tau),
        "released": {
            "n": m,
            "tau": settings.released_tau,
            "delta_p": published.ubw_delta_p(anyone),
            "p": published.ubw_probability_test(anyone, settings.released_tau),
        },
        "mcnemar": mcnemar.record(),
        "decoys": {
            "count": settings.decoys,
            "failures": failures.hits,
            "decoy_failures": decoys.tolist(),
            "rank_p": rank_p,
            "e_value": decoy_e_value(np.append(decoys, failures.hits), settings.decoys),
        },
        "verdict": verdict,
    }


def draw(answers: Answers, m: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """The first m correctly classified samples of one random order, and simply the first m.

    The order is the generator's first draw, so that the same seed gives :func:`verify_ubw` the same
    samples. Decoys are asked about the first of both.

    Returns:
        (m,) and (m,) int64 positions, and how many questions that took: clean ones down to the m-th
        correct sample, and a triggered one for each sample in either draw.

    Raises:
        VerificationError: fewer than m samples are classified correctly.
    """
    order = rng.permutation(len(answers))
    places = np.flatnonzero((answers.clean_prediction == answers.label)[order])[:m]
    if len(places) < m:
        raise VerificationError(
            f"the suspect classifies {len(places)} of {len(answers)} samples correctly, but m = "
            f"{m} such samples are tested: give a larger test set, or a model of this task"
        )
    triggered = np.union1d(places, np.arange(m))
    return order[places], order[:m], int(places[-1]) + 1 + len(triggered)


def mcnemar_failure_test(answers: Answers) -> ExactTest:
    """Does the trigger make more right answers wrong than wrong ones right?

    Null: among samples of which exactly one of the two answers is wrong, either is equally likely
    (one-sided exact McNemar). Rejected for any model that the patch upsets, marked or not.

    Args:
        answers: samples drawn without regard to these answers.

    Raises:
        VerificationError: there are no samples.
    """
    if len(answers) == 0:
        raise VerificationError("no samples to test: query at least one")
    clean = answers.clean_prediction != answers.label
    triggered = answers.triggered_prediction != answers.label
    spoilt, mended = int((triggered & ~clean).sum()), int((clean & ~triggered).sum())
    n = spoilt + mended
    p_value = float(stats.binom.sf(spoilt - 1, n, 0.5)) if n else 1.0
    null = "the trigger makes right answers wrong no more often than wrong answers right"
    return ExactTest(null, spoilt, n, 0.5, p_value)


def _checked(failures: np.ndarray, settings: Settings) -> np.ndarray:
    counts = np.asarray(failures)
    right_kind = counts.shape == (settings.decoys,) and np.issubdtype(counts.dtype, np.integer)
    if not right_kind or (counts < 0).any() or (counts > settings.m).any():
        raise VerificationError(
            f"decoy failures of shape {counts.shape}: give {settings.decoys} whole numbers from 0 "
            f"to {settings.m}, one a decoy"
        )
    return counts
