"""From exact tests to one of three words."""

from typing import Any

from datadeed.metrics import rate
from datadeed.verification.answers import Answers
from datadeed.verification.exact import binomial_test, mcnemar_test

CLAIM, INCONCLUSIVE, NOT_SUPPORTED = "CLAIM", "INCONCLUSIVE", "NOT SUPPORTED"


def behaviour_verdict(answers: Answers, null_rate: float, alpha: float) -> dict[str, Any]:
    """What the answers support, by exact tests alone.

    CLAIM: both exact tests reject at ``alpha``; the model answers the trigger as a watermarked one
    would. NOT SUPPORTED: the exact 95 % interval of the hit rate lies below ``null_rate``.
    Otherwise INCONCLUSIVE. The verdict is about this model's behaviour on this trigger. That the
    behaviour comes from the data needs a key committed before release; no verdict says "innocent".

    Args:
        answers: samples whose true label is not the target.
        null_rate: largest hit rate granted to an innocent model.
        alpha: level of each test.
    """
    p_value = max(binomial_test(answers, null_rate).p_value, mcnemar_test(answers).p_value)
    hit_rate = rate(answers.triggered_prediction == answers.target)
    if p_value <= alpha:
        word = CLAIM
    elif hit_rate.interval[1] < null_rate:
        word = NOT_SUPPORTED
    else:
        word = INCONCLUSIVE
    return {
        "word": word,
        "p_value": p_value,
        "alpha": alpha,
        "null_rate": null_rate,
        "hit_rate": hit_rate.record(),
        "queries": 2 * len(answers),
        "null": (
            f"the trigger brings the target label about on at most {null_rate:.0%} of samples, "
            "or no more often than it takes it away"
        ),
    }
