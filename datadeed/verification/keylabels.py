"""Tests of a random key: exact whatever the suspect is, because only the key is random.

Null, for all of them: the suspect does not depend on the key, which was drawn at random (labels
uniformly, the true trigger's place among decoys uniformly, bits by fair coins). Nothing is assumed
about models, samples or probabilities. What the answers are weighed by must not look at the key's
secret part: samples and stopping are chosen without knowing the target label (the samples of the
target class may not be left out), nor which candidate is the true one, nor the bits.

Close relatives: Bouaziz et al., "Data Taggants" (arXiv 2410.09101); Wei, Wang and Jia, "Proving
membership via data watermarks" (arXiv 2402.10892); Zhang et al. (arXiv 2409.19798) for why random
keys are needed.
"""

import math
from collections.abc import Sequence

import numpy as np

from datadeed.errors import VerificationError

BETA = 1.6  # trust in one vote: a vote multiplies a class's weight by exp(BETA)
EPSILON = 0.1  # weight spread evenly over all classes, so that no part ruins the whole product


def part_weights(counts: np.ndarray, *, beta: float = BETA, epsilon: float = EPSILON) -> np.ndarray:
    """What the votes bet on each class: ``(1 - epsilon) softmax(beta counts) + epsilon / C``.

    Args:
        counts: (C,) or (..., C), votes for each of C >= 2 classes.
        beta: at least 0. epsilon: 0 to 1.

    Returns:
        float64 of the same shape; sums to 1 over the last axis.

    Raises:
        VerificationError: fewer than two classes, a vote that is not a finite number, or a
            parameter out of its range.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim == 0 or counts.shape[-1] < 2:
        raise VerificationError(f"votes of shape {counts.shape}: give those for 2 classes or more")
    if not np.isfinite(counts).all():
        raise VerificationError("a vote is infinite or not a number: count finite votes only")
    _check_parameters(beta, epsilon)
    softmax = np.exp(beta * (counts - counts.max(-1, keepdims=True)))
    softmax /= softmax.sum(-1, keepdims=True)
    return np.asarray((1 - epsilon) * softmax + epsilon / counts.shape[-1])


def part_e_value(
    counts: np.ndarray, target: int, *, beta: float = BETA, epsilon: float = EPSILON
) -> float:
    """``C w(target)``: what one part of the key adds, as a factor, to the evidence.

    Null: the target label was drawn uniformly from the C classes, independently of the counts.
    Its mean is then exactly 1, and so is that of the product over parts.

    Args:
        counts: (C,) votes. target: the part's label, 0 to C - 1.
    """
    weights = part_weights(np.asarray(counts).reshape(-1), beta=beta, epsilon=epsilon)
    return float(len(weights) * weights[_place(target, len(weights))])


def largest_factor(
    classes: int,
    votes: int | None = None,
    *,
    beta: float = BETA,
    epsilon: float = EPSILON,
) -> float:
    """The most that :func:`part_e_value` can be: ``C (1 - epsilon) + epsilon`` for endless votes.

    With ``votes``, the exact largest value for counts of at most that many in all: those that all
    fall on one class. A part that stops at a lead of 2 stays below the value for its largest
    number of answers, but may exceed that for 2 votes: three votes to one weigh more than two to
    none.
    """
    if classes < 2:
        raise VerificationError(f"{classes} classes: give 2 or more")
    _check_parameters(beta, epsilon)
    if votes is None:
        return classes * (1 - epsilon) + epsilon
    if votes < 0:
        raise VerificationError(f"{votes} votes: give 0 or more")
    share = 1 / (1 + (classes - 1) * math.exp(-beta * votes))
    return classes * (1 - epsilon) * share + epsilon


def hits_p_value(hits: int, parts: int, classes: int) -> float:
    """``P(Bin(parts, 1/classes) >= hits)``; its floor is ``classes ** -parts``.

    Null: each part's target label was drawn uniformly and independently of the answers. A part is
    a hit when its plurality label is its target. For a number of parts fixed beforehand.
    """
    from scipy import stats

    if classes < 2 or not 0 <= hits <= parts:
        raise VerificationError(f"{hits} hits in {parts} parts, {classes} classes: not possible")
    return float(stats.binom.sf(hits - 1, parts, 1 / classes))


def rank_p_value(true: float, decoys: np.ndarray) -> float:
    """``(1 + #{decoys >= true}) / (K + 1)``: the rank of the true key among K decoys.

    Null: the true key and its decoys were drawn from one law, independently of the suspect, so
    that all places in the ranking are equally likely; ties count against the claim.

    Args:
        true: score of the true key. decoys: (K,) scores of the decoys, K >= 1.
    """
    decoys = np.asarray(decoys, dtype=np.float64)
    if decoys.ndim != 1 or len(decoys) == 0:
        raise VerificationError(f"decoys of shape {decoys.shape}: give the scores of 1 or more")
    if not (math.isfinite(true) and np.isfinite(decoys).all()):
        raise VerificationError("a score is infinite or not a number: score every key")
    return float((1 + (decoys >= true).sum()) / (len(decoys) + 1))


def decoy_e_value(
    scores: np.ndarray, hidden: int, *, beta: float = BETA, epsilon: float = EPSILON
) -> float:
    """``(K + 1) w(hidden)``: the true trigger's weight among K decoys.

    Null: the true trigger's place was drawn uniformly, independently of the scores.

    Args:
        scores: (K + 1,) hits of each candidate, the same samples for all.
        hidden: place of the true trigger, 0 to K.
    """
    return part_e_value(scores, hidden, beta=beta, epsilon=epsilon)


def coin_e_value(
    counts: np.ndarray, bits: np.ndarray, *, beta: float = BETA, epsilon: float = EPSILON
) -> float:
    """Product over triggers of ``2 w_j(b_j)``, for untargeted marks.

    Null: the bits, which say which triggers were embedded, are independent fair coins that the
    suspect does not depend on (not exactly half of the triggers: that is no product of coins).

    Args:
        counts: (J, 2) votes of each trigger: answers left alone, answers it changed.
        bits: (J,) 1 where the trigger was embedded, else 0.
    """
    counts, bits = np.asarray(counts), np.asarray(bits, dtype=np.int64)
    if counts.shape != (len(bits), 2) or not np.isin(bits, (0, 1)).all():
        raise VerificationError("give two counts and one bit, 0 or 1, for every trigger")
    weights = part_weights(counts, beta=beta, epsilon=epsilon)
    return float(np.prod(2 * np.take_along_axis(weights, bits[:, None], 1)))


class BlindElimination:
    """Successive elimination among one true trigger and K decoys, for whoever does not know it.

    Null: the true trigger's place was drawn uniformly and independently of the suspect; then it is
    the survivor with chance 1/(K + 1), whatever the answers are. Ask every survivor
    ``queries`` times, on the same samples, then :meth:`update`; until ``finished``.

    Args:
        candidates: K + 1, at least 2.
        queries: questions a survivor in each round; the last number repeats.
        keep: share of the survivors kept in each round, strictly between 0 and 1. Strong marks
            need few: 1/8; weak ones 1/2.

    Attributes:
        survivors: (S,) int64, the candidates to ask, in order.

    Raises:
        VerificationError: an argument is out of its range.
    """

    def __init__(self, candidates: int, *, queries: Sequence[int] = (2, 2, 4), keep: float = 1 / 3):
        if candidates < 2:
            raise VerificationError(f"{candidates} candidates: give the true one and a decoy")
        if not queries or min(queries) < 1 or not 0 < keep < 1:
            raise VerificationError("give 1 query or more a round, and keep a share from 0 to 1")
        self.survivors = np.arange(candidates)
        self._score = np.zeros(candidates)
        self._queries, self._keep, self._round = tuple(queries), keep, 0

    @property
    def queries(self) -> int:
        """How often to ask each survivor in this round."""
        return self._queries[min(self._round, len(self._queries) - 1)]

    @property
    def finished(self) -> bool:
        """Whether one candidate alone is left."""
        return len(self.survivors) == 1

    def update(self, outcomes: np.ndarray) -> None:
        """Take a round's outcomes, (S, queries), each 0 to 1, and drop the weakest.

        Equal sums go to the lower number: places are random, so this favours nobody.
        """
        outcomes = np.asarray(outcomes, dtype=np.float64)
        wanted = (len(self.survivors), self.queries)
        if self.finished or outcomes.shape != wanted:
            raise VerificationError(
                f"outcomes of shape {outcomes.shape}: this round takes {wanted}"
            )
        if not ((outcomes >= 0) & (outcomes <= 1)).all():
            raise VerificationError("an outcome is outside 0 to 1: give a failed query as 0")
        self._score[self.survivors] += outcomes.sum(1)
        left = len(self.survivors)
        kept = min(left - 1, math.ceil(left * self._keep))
        best = np.argsort(-self._score[self.survivors], kind="stable")[:kept]
        self.survivors = np.sort(self.survivors[best])
        self._round += 1

    def p_value(self, hidden: int) -> float:
        """1/(K + 1) if the true trigger alone survives, else 1."""
        place = _place(hidden, len(self._score))
        return 1 / len(self._score) if self.finished and self.survivors[0] == place else 1.0


def _check_parameters(beta: float, epsilon: float) -> None:
    if not 0 <= beta < math.inf or not 0 <= epsilon <= 1:
        raise VerificationError(
            f"beta {beta}, epsilon {epsilon}: beta is at least 0, epsilon from 0 to 1"
        )


def _place(number: int, count: int) -> int:
    if not 0 <= number < count:  # a negative one would silently count from the end
        raise VerificationError(f"number {number} is not one of 0 to {count - 1}")
    return int(number)
