"""Centred votes: the evidence of a random key when all parts are asked on the same images.

What a model answers to an image anyway says nothing about the key. So every part's trigger is put
on the same image, and from each answer the mean over that image's answers is taken off: a model
that no trigger moves votes for nothing, whatever it answers, and whichever images were chosen.

Null, for all of this: the key's target labels were drawn uniformly from the classes, and the
suspect does not depend on them. Nothing is assumed about models, images, triggers, or how answers
depend on each other. The images, their order and number may depend on everything but the targets.
"""

import math

import numpy as np

from datadeed.errors import VerificationError
from datadeed.verification.keylabels import part_weights
from datadeed.verification.sequential import log_mean_exp

# Trust in a vote: from far below one vote a nat, or evidence of weak marks falls with more of it.
SHARPNESS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 5.2)
EPSILON = 0.05  # weight spread evenly over all classes, so that no part ruins the product
CLIPS = (-3.0, -6.0, -12.0)  # of log-probabilities; one model's scores are sharper than another's
FIRST = 0.5  # share of all evidence that rests on the first image
GROWTH = 1.2  # from one look to the next


def centred(votes: np.ndarray) -> np.ndarray:
    """Votes without what their image gets anyway: minus the mean over the parts.

    Args:
        votes: (..., J, C) of J parts asked on one image; an answer that failed is all zeros.

    Returns:
        float64 of the same shape; sums to 0 over the parts.
    """
    votes = np.asarray(votes, dtype=np.float64)
    return np.asarray(votes - votes.mean(-2, keepdims=True))


def label_votes(answers: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """One-hot votes of answered labels, for the key's classes.

    A suspect may merge classes: its answer is then a vote for each class of the group. All of
    them have the same weight, so that the bet on a target is the weight of its group over the
    group's share of the classes, and stays exact.

    Args:
        answers: (...) int64, the suspect's labels, -1 for none.
        groups: (A, C) bool, which of the key's classes each of the suspect's labels stands for;
            no class belongs to two of them.

    Returns:
        (..., C) float64.

    Raises:
        VerificationError: a label does not exist, or a class belongs to two groups.
    """
    answers, groups = np.asarray(answers), np.asarray(groups, dtype=bool)
    if (groups.sum(0) > 1).any():
        raise VerificationError("a class stands for two of the suspect's labels: give it to one")
    if (answers < -1).any() or (answers >= len(groups)).any():
        raise VerificationError(f"an answer is not one of the suspect's {len(groups)} labels")
    votes = groups[answers].astype(np.float64)
    return np.where((answers < 0)[..., None], 0.0, votes)


def score_votes(log_probabilities: np.ndarray) -> np.ndarray:
    """Votes of a suspect that gives scores: its log-probabilities, clipped in several ways.

    Args:
        log_probabilities: (..., C) natural logarithms, minus infinity allowed.

    Returns:
        (3, ..., C) float64, one for each of ``CLIPS``.

    Raises:
        VerificationError: one is not a number, or above 0.
    """
    given = np.asarray(log_probabilities, dtype=np.float64)
    if np.isnan(given).any() or (given > 1e-6).any():
        raise VerificationError("a log-probability is above 0 or not a number: check the scores")
    return np.stack([np.maximum(given, clip) for clip in CLIPS])


def log_factors(sums: np.ndarray) -> np.ndarray:
    """``log(C w(c))``: what each part would add to the evidence, for every class as its target.

    ``w = (1 - epsilon) softmax(b sums) + epsilon / C``, for each sharpness b. The mean of ``C w``
    over the classes is exactly 1.

    Args:
        sums: (..., J, C) centred votes, added up over the images; C >= 2.

    Returns:
        (B, ..., J, C) float64, one for each of ``SHARPNESS``.

    Raises:
        VerificationError: fewer than two classes, or a sum that is not a finite number.
    """
    sums = np.asarray(sums, dtype=np.float64)
    weights = [part_weights(sums, beta=beta, epsilon=EPSILON) for beta in SHARPNESS]
    return np.asarray(np.log(sums.shape[-1] * np.stack(weights)))


def log_e_value(sums: np.ndarray, targets: np.ndarray) -> float:
    """The logarithm of E: product over parts, mean over sharpness and over transforms of scores.

    The mean of E over all assignments of targets is exactly 1, so that ``P(E >= 1/alpha)`` is at
    most alpha (Markov). It is so at one number of images, chosen without the targets; the largest
    E over several numbers has no such bound (:class:`Looks`).

    A suspect that lacks some classes: leave out the parts whose targets it lacks, and those
    classes. Given which these are, the other targets are uniform over the classes it has.

    Args:
        sums: (J, C), or (T, J, C) for T transforms of scores.
        targets: (J,) int64, each part's label, 0 to C - 1.

    Raises:
        VerificationError: see :func:`log_factors`; or a target is none of the classes.
    """
    sums = np.asarray(sums, dtype=np.float64)
    factors, targets = log_factors(sums), np.asarray(targets)
    parts, classes = sums.shape[-2:]
    if targets.shape != (parts,) or not ((targets >= 0) & (targets < classes)).all():
        raise VerificationError(f"give each of the {parts} parts a target from 0 to {classes - 1}")
    return float(log_mean_exp(factors[..., np.arange(parts), targets].sum(-1).ravel()))


class Looks:
    """Evidence that may be looked at after several numbers of images, and stopped at any look.

    E at a look has mean 1, but its largest value over looks has not. So every look k has a fixed
    share p_k of the whole, ``sum p_k = 1``, and the evidence after look K is ``sum_{k <= K} p_k
    E_k``. It never falls, and all of it together has a mean of at most 1, whatever the suspect
    answers and whenever one stops: the chance that it ever reaches 1/alpha is at most alpha
    (Markov). The numbers of images are fixed beforehand: 1, then steps of a fifth.

    Half of the shares lies on the first image, which is all that a well learnt mark needs; a weak
    mark loses ``log(2 (K - 1))`` nats to that.

    Args:
        targets: (J,) int64.
        images: the most that will ever be asked, at least 1.

    Attributes:
        log_e: the evidence so far; minus infinity before the first look.
        looked: (images, log E at that look) of every look.

    Raises:
        VerificationError: no images.
    """

    def __init__(self, targets: np.ndarray, images: int):
        self.at = looks(images)
        self._targets = np.asarray(targets)
        self._sums: np.ndarray | None = None
        self.images, self.log_e = 0, -math.inf
        self.looked: list[tuple[int, float]] = []

    def add(self, votes: np.ndarray) -> float:
        """Take one image's votes of all parts, (J, C) or (T, J, C), and return ``log_e``.

        Raises:
            VerificationError: all images were asked, or the votes have another shape than before.
        """
        if self.images == self.at[-1]:
            raise VerificationError(f"all {self.images} images were asked: nothing is left to ask")
        new = centred(votes)
        if self._sums is not None and new.shape != self._sums.shape:
            raise VerificationError(f"votes of shape {new.shape}, not {self._sums.shape} as before")
        self._sums = new if self._sums is None else self._sums + new
        self.images += 1
        if self.images in self.at:
            here = log_e_value(self._sums, self._targets)
            self.looked.append((self.images, here))
            share = shares(len(self.at))[len(self.looked) - 1]
            self.log_e = float(np.logaddexp(self.log_e, math.log(share) + here))
        return self.log_e


def looks(images: int) -> list[int]:
    """After how many images to look: 1, 2, ... in steps of a fifth, and ``images`` at last."""
    if images < 1:
        raise VerificationError(f"{images} images: give 1 or more")
    at = [1]
    while at[-1] < images:
        at.append(min(images, max(at[-1] + 1, int(at[-1] * GROWTH))))
    return at


def shares(count: int) -> np.ndarray:
    """(count,) float64, positive, with a sum of 1: half for the first look, evenly for the rest."""
    if count == 1:
        return np.ones(1)
    return np.array([FIRST, *[(1 - FIRST) / (count - 1)] * (count - 1)])
