"""Exact tests on labels alone: what the published tests should have been.

Both treat the model and the trigger as fixed and the samples as the unit; they say how the model
behaves on this trigger, not why.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification.answers import Answers


@dataclass(frozen=True)
class ExactTest:
    """A one-sided exact test.

    Attributes:
        null: the null hypothesis in words.
        successes, n: what was counted; ``null_rate`` is the rate that the null allows.
        p_value: probability under the null of so many successes or more.
    """

    null: str
    successes: int
    n: int
    null_rate: float
    p_value: float

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def binomial_test(answers: Answers, null_rate: float) -> ExactTest:
    """Does the trigger bring the target label about more often than ``null_rate``?

    Null: each triggered sample gets the target label with probability at most ``null_rate``.
    Unlike a Wilcoxon test on label numbers it does not change when the classes are renumbered.

    Args:
        answers: samples whose true label is not the target.
        null_rate: largest hit rate granted to an innocent model, strictly between 0 and 1.

    Raises:
        VerificationError: there are no samples, or one is of the target class.
    """
    if not 0 < null_rate < 1:
        raise VerificationError(f"null rate {null_rate}: give a value strictly between 0 and 1")
    _check_rows(answers)
    hits = int((answers.triggered_prediction == answers.target).sum())
    p_value = float(stats.binom.sf(hits - 1, len(answers), null_rate))
    null = f"a triggered sample gets the target label with probability at most {null_rate:g}"
    return ExactTest(null, hits, len(answers), null_rate, p_value)


def mcnemar_test(answers: Answers) -> ExactTest:
    """Does the trigger move more samples to the target label than away from it?

    Null: among samples of which exactly one of the two answers is the target label, either is
    equally likely (one-sided exact McNemar).

    Raises:
        VerificationError: there are no samples, or one is of the target class.
    """
    _check_rows(answers)
    clean = answers.clean_prediction == answers.target
    triggered = answers.triggered_prediction == answers.target
    gained, lost = int((triggered & ~clean).sum()), int((clean & ~triggered).sum())
    n = gained + lost
    p_value = float(stats.binom.sf(gained - 1, n, 0.5)) if n else 1.0
    null = "the trigger moves samples to the target label no more often than away from it"
    return ExactTest(null, gained, n, 0.5, p_value)


def _check_rows(answers: Answers) -> None:
    if len(answers) == 0:
        raise VerificationError("no samples to test: query at least one")
    if bool(np.any(answers.label == answers.target)):
        raise VerificationError(
            "samples of the target class are hits for any accurate model: leave them out"
        )
