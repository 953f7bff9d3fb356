"""From exact tests to one of three words."""

from typing import Any

from datadeed.verification.answers import Answers
from datadeed.verification.exact import ExactTest, binomial_test, mcnemar_test
from datadeed.verification.metrics import Rate, rate

CLAIM, INCONCLUSIVE, NOT_SUPPORTED = "CLAIM", "INCONCLUSIVE", "NOT SUPPORTED"
WORDS = (NOT_SUPPORTED, INCONCLUSIVE, CLAIM)  # from the weakest to the strongest


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

    Raises:
        VerificationError: the watermark is untargeted (see :func:`untargeted_verdict`), there are
            no samples, or one is of the target class.
    """
    target = answers.target_label
    p_value = max(binomial_test(answers, null_rate).p_value, mcnemar_test(answers).p_value)
    hit_rate = rate(answers.triggered_prediction == target)
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


def untargeted_verdict(
    mcnemar: ExactTest, rank_p: float, failures: Rate, *, tau: float, alpha: float, queries: int
) -> dict[str, Any]:
    """What the answers about an untargeted trigger support, by exact tests alone.

    CLAIM says two things: the trigger makes this model fail (McNemar), and no other trigger of its
    family does so as much (rank). Both nulls must be rejected at ``alpha`` each. That is an
    intersection-union test: an innocent model fulfils the null of the rank test at least, so it is
    claimed with probability ``alpha`` at most, and no correction for two tests is due. McNemar
    alone never claims, since any patch upsets a fragile model; its decoys upset it just as well.

    NOT SUPPORTED: no claim, and the exact 95 % interval of the failure rate lies below ``tau``.
    Otherwise INCONCLUSIVE. No verdict says "innocent".

    Args:
        mcnemar: on samples drawn without regard to the suspect's answers. Among those chosen for
            being classified correctly, no sample can be wrong only without the trigger, and a
            model that errs at random would be found to react.
        rank_p: rank of the true trigger's failures among those of its decoys.
        failures: of samples classified correctly when clean, those that fail with the trigger.
        tau: the failure rate that counts as an effect; the published margin, not calibrated.
        alpha: level of each test.
        queries: questions asked in all, decoys included.
    """
    p_value = max(mcnemar.p_value, rank_p)
    if p_value <= alpha:
        word = CLAIM
    elif failures.interval[1] < tau:
        word = NOT_SUPPORTED
    else:
        word = INCONCLUSIVE
    return {
        "word": word,
        "p_value": p_value,
        "alpha": alpha,
        "null_rate": tau,
        "failure_rate": failures.record(),
        "queries": queries,
        "null": (
            "the model does not depend on which trigger of its family was the true one, or the "
            "trigger makes right answers wrong no more often than wrong ones right"
        ),
        "premise": "the owner drew the true trigger from the same law as its decoys",
    }
