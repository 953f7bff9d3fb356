"""A few clean questions before the first counted one: is the suspect wired up as declared?"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from datadeed.owner.samples import Samples, join
from datadeed.owner.suspects.base import Answer, Suspect, SuspectError, first_of

CHANCE = 0.05  # largest probability of so many right answers by guessing


@dataclass(frozen=True)
class Probe:
    """What the clean questions showed.

    Attributes:
        answers: one for each sample, then the second one to the first sample.
        right, answered: how many answers were right, of how many.
        repeatable: whether the first sample got the same answer twice.
        warnings: what the owner should know; none of them stops a verification.
    """

    answers: tuple[Answer, ...]
    right: int
    answered: int
    repeatable: bool
    warnings: tuple[str, ...]


def probe(
    suspect: Suspect,
    samples: Samples,
    labels: torch.Tensor,
    answers: Sequence[Answer] | None = None,
) -> Probe:
    """Ask clean samples, and the first of them twice.

    Nothing here counts as evidence. It finds the mistakes that would make a verification
    meaningless: a wrong order of classes, a wrong scaling, an address that answers nothing.

    Args:
        suspect: what to ask.
        samples: N of them without any trigger, of two classes or more. Three are enough for ten
            classes: a guesser is right on two of three with probability 0.03.
        labels: (N,) int64, their true classes in the key's numbering.
        answers: N + 1 of them, if an earlier run asked; nothing is asked then.

    Raises:
        SuspectError: nothing was answered, or right answers are no more frequent than by chance;
            the message says what is probably wrong.
        BudgetSpent: N + 1 questions exceed the budget.
    """
    if len(samples) < 2 or len(samples) != len(labels) or len(labels.unique()) < 2:
        raise SuspectError("a probe needs samples of two classes or more, each with its label")
    if answers is None:
        answers = suspect.predict(join([samples, samples[:1]]))
    one, again = answers[0], answers[-1]
    first = first_of(suspect.groups)
    pairs = [
        (
            first[int(label)],
            None if answer.label is None else first.get(answer.label),
        )
        for label, answer in zip(labels, answers, strict=False)
        if not answer.failed and int(label) in first
    ]
    if not pairs:
        why = one.error or "none is of a class that it has"
        raise SuspectError(f"{suspect.name} answered no probe: {why}")
    right = sum(label == given for label, given in pairs)
    repeatable = (one.labels, one.scores) == (again.labels, again.scores)
    warnings = _warnings(suspect, answers, pairs, repeatable)
    chance = 1 / len(suspect.groups)
    if _by_guessing(len(pairs), len(pairs), chance) > CHANCE:
        warnings += [f"{len(pairs)} answers are too few to tell the suspect from a guesser"]
    elif _by_guessing(right, len(pairs), chance) > CHANCE:
        raise SuspectError(
            f"{suspect.name} is right on {right} of {len(pairs)} clean samples, which guessing "
            f"also reaches: {_hint(pairs)}"
        )
    return Probe(tuple(answers), right, len(pairs), repeatable, tuple(warnings))


def _warnings(
    suspect: Suspect,
    answers: Sequence[Answer],
    pairs: list[tuple[int, int | None]],
    repeatable: bool,
) -> list[str]:
    failed = sum(answer.failed for answer in answers)
    found = []
    if failed:
        error = next(answer.error for answer in answers if answer.failed)
        found.append(f"{failed} of {len(answers)} probes failed, the first with: {error}")
    if not repeatable and not (answers[0].failed or answers[-1].failed):
        found.append(f"{suspect.name} answered the same question differently the second time")
    if len({given for _, given in pairs}) == 1 and len({label for label, _ in pairs}) > 1:
        found.append(f"{suspect.name} gave the same class to every sample")
    return found


def _by_guessing(right: int, n: int, chance: float) -> float:
    """Probability that a guesser is right on ``right`` of ``n`` or more."""
    terms = (math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(right, n + 1))
    return sum(terms)


def _hint(pairs: list[tuple[int, int | None]]) -> str:
    """What is probably wrong, from how answers go with labels."""
    given = Counter(answer for _, answer in pairs)
    if None in given and given[None] > len(pairs) / 2:
        return "most answers are classes that the key does not have, so check output.map"
    if len(given) == 1:
        return "every answer is the same class, so check input.divide, mean, std and layout"
    if _agreement(pairs) >= 0.8:
        return "the answers go with the labels in another order, so check output.classes"
    return "class order or scaling is probably wrong, so check output.classes and input"


def _agreement(pairs: list[tuple[int, int | None]]) -> float:
    """The share of answers that are right once each class takes the name it mostly gets.

    0 if two classes would take one name, or if there are fewer than two samples a class: any
    answers would then agree.
    """
    by_label: dict[int, Counter[int | None]] = defaultdict(Counter)
    for label, answer in pairs:
        by_label[label][answer] += 1
    most = [counts.most_common(1)[0] for counts in by_label.values()]
    if len({answer for answer, _ in most}) < len(most) or len(pairs) < 2 * len(most):
        return 0.0
    return sum(count for _, count in most) / len(pairs)
