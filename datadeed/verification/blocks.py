"""Blocks: images that are asked under every part of a key, and what their answers amount to."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from datadeed.errors import VerificationError
from datadeed.verification.centred import CLIPS, Looks, score_votes
from datadeed.verification.layers import finite

Groups = Sequence[Sequence[int]]  # of the suspect's labels, the key's classes each stands for


class Labels:
    """The labels of a suspect, as votes for the key's targets.

    Args:
        groups: of each label that the suspect can give, the key's classes that it stands for.
            Classes in no group are ones that the suspect lacks.
        targets: (J,) int64, of the parts.
        classes: the key's targets, among which those were drawn.

    Attributes:
        aims: (J,) int64, the suspect's label for each part's target; -2 where it has none.
        kept: the parts whose target the suspect has. Given which these are, their targets are
            uniform over the classes that it has: the others are left out, and the test is exact.
        where: (len(kept),) int64, each one's target among the classes that the suspect has.

    Raises:
        VerificationError: a class is in two groups, or the suspect tells fewer than two of the
            targets apart: with one label for all of them every answer would be a hit.
    """

    def __init__(self, groups: Groups, targets: np.ndarray, classes: Sequence[int]):
        self._group_of = {member: n for n, group in enumerate(groups) for member in group}
        if len(self._group_of) < sum(map(len, groups)):
            raise VerificationError(
                "a class stands for two of the suspect's labels: give it to one"
            )
        known = [k for k in classes if k in self._group_of]
        told = len({self._group_of[k] for k in known})
        if told < 2:
            raise VerificationError(
                f"the suspect has {len(known)} of the key's {len(classes)} classes, under {told} "
                "of its labels: two or more are needed to tell anything"
            )
        self.count, self._known = sum(map(bool, groups)), known
        self._columns = np.array([self._group_of[k] for k in known])
        self.aims = np.array([self.group(int(target)) for target in targets])
        self.kept = np.flatnonzero(self.aims >= 0)
        self.where = np.searchsorted(known, targets[self.kept])

    def group(self, label: int) -> int:
        """The suspect's label that stands for a class of the key; -2 if none does."""
        return self._group_of.get(label, -2)

    def given(self, labels: Sequence[int]) -> int:
        """The suspect's label of an answer; -1 if it is none of the key's classes.

        Raises:
            VerificationError: a label is one that the suspect does not declare.
        """
        for label in labels:
            if label not in self._group_of:
                raise VerificationError(f"label {label} is none that the suspect declares")
        return self._group_of[labels[0]] if labels else -1

    def votes(
        self, labels: Sequence[int], scores: Sequence[float] | None, *, weigh_scores: bool
    ) -> np.ndarray:
        """(T, K) float64: one answer's votes for the K targets that the suspect has.

        A label is a vote for each target of its group: the bet on a target is then its group's
        weight over the group's share of the targets, and stays exact.

        T is 1; or, where scores are weighed, 1 for the label and more for clipped logarithms of
        probabilities, which are zero unless each of the suspect's labels has exactly one. A label
        that stands for no class of the key needs none.
        """
        given = self.given(labels)
        votes = (self._columns == given)[None].astype(np.float64)
        if not weigh_scores:
            return votes
        clipped = np.zeros((len(CLIPS), len(self._known)))
        probability = {self._group_of[k]: p for k, p in zip(labels, scores or (), strict=False)}
        if given >= 0 and len(probability) == len(labels) == self.count:
            with np.errstate(divide="ignore"):
                of_class = np.log([probability[self._group_of[k]] for k in self._known])
            clipped = score_votes(of_class)
        return np.concatenate([votes, clipped])


class Blocks:
    """The key layer: ln E of all blocks so far, and how often parts brought their labels about.

    Args:
        labels: of the suspect.
        images: the most that will ever be asked.

    Attributes:
        count: blocks so far.
        hits: (J,) int64, of each part; 0 for parts that are left out.
        moved: share of the answers that leave the most frequent one of their image; no target has
            a say in it.
    """

    def __init__(self, labels: Labels, images: int):
        self._labels = labels
        self._looks = Looks(labels.where, images) if len(labels.kept) else None
        self.hits = np.zeros(len(labels.aims), dtype=np.int64)
        self.count = self._left = self._answered = 0
        self.other_hits = self.other_asked = 0
        # Of each part, the parts of another target are decoys on the same image.
        self._others = labels.aims[:, None] != labels.aims[None, :]
        self._others &= (labels.aims >= 0)[:, None]

    @property
    def log_e(self) -> float:
        """ln E; it never falls."""
        return self._looks.log_e if self._looks else -math.inf

    @property
    def moved(self) -> float:
        """See the class."""
        return self._left / self._answered if self._answered else 0.0

    def add(self, given: np.ndarray, votes: np.ndarray, failed: np.ndarray) -> np.ndarray:
        """Take one image's answers and return which of them are hits, (J,) bool.

        Args:
            given: (J,) int64, the suspect's labels, -1 for none.
            votes: (T, J, K) float64.
            failed: (J,) bool.
        """
        self.count += 1
        answered = given[~failed].tolist()
        if answered:
            self._left += len(answered) - Counter(answered).most_common(1)[0][1]
            self._answered += len(answered)
        hits = np.asarray((given == self._labels.aims) & ~failed)
        self.hits += hits
        here = (given[None, :] == self._labels.aims[:, None]) & self._others
        self.other_hits += int(here.sum())
        self.other_asked += int(self._others.sum())
        if self._looks:
            kept = votes[:, self._labels.kept]
            self._looks.add(kept if len(kept) > 1 else kept[0])
        return hits

    def looked(self) -> list[list[float]]:
        """Images and ln E at each look, as JSON values."""
        return [[n, finite(log_e)] for n, log_e in self._looks.looked] if self._looks else []
