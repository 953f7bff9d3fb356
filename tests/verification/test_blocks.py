"""Blocks: a suspect's labels as votes for the key's targets, and one image under every part."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.verification.blocks import Blocks, Groups, Labels
from datadeed.verification.centred import CLIPS

TARGETS = np.array([0, 3, 5, 3])
TEN: Groups = [[n] for n in range(6)]


def block(labels: Labels, given_: list[int], failed: list[bool] | None = None) -> Blocks:
    """One image's answers, by the suspect's labels, -1 for none."""
    blocks = Blocks(labels, 5)
    add(blocks, labels, given_, failed)
    return blocks


def add(
    blocks: Blocks, labels: Labels, given_: list[int], failed: list[bool] | None = None
) -> list[bool]:
    classes = [[n] if n >= 0 else [] for n in given_]
    votes = np.stack([labels.votes(k, None, weigh_scores=False) for k in classes], axis=1)
    fails = np.array(failed or [False] * len(given_))
    hits: list[bool] = blocks.add(np.array(given_), votes, fails).tolist()
    return hits


class TestLabels:
    def test_a_suspect_that_has_every_class(self) -> None:
        labels = Labels(TEN, TARGETS, range(6))
        assert labels.aims.tolist() == labels.where.tolist() == TARGETS.tolist()
        assert labels.kept.tolist() == [0, 1, 2, 3]
        assert labels.votes([3], None, weigh_scores=False).tolist() == [[0, 0, 0, 1, 0, 0]]

    def test_a_class_that_is_no_target_is_a_vote_for_nothing(self) -> None:
        labels = Labels(TEN, TARGETS, [0, 3, 5])
        assert labels.where.tolist() == [0, 1, 2, 1]
        assert labels.votes([3], None, weigh_scores=False).tolist() == [[0, 1, 0]]
        assert labels.votes([4], None, weigh_scores=False).tolist() == [[0, 0, 0]]
        assert labels.given([4]) == 4

    def test_a_merged_label_is_a_vote_for_each_of_its_classes(self) -> None:
        labels = Labels([[0, 1], [2, 3], [4, 5]], TARGETS, range(6))
        assert labels.aims.tolist() == [0, 1, 2, 1]
        for member in (2, 3):
            votes = labels.votes([member], None, weigh_scores=False)
            assert votes.tolist() == [[0, 0, 1, 1, 0, 0]]

    def test_classes_that_the_suspect_lacks(self) -> None:
        labels = Labels([[], [5], [0]], TARGETS, range(6))  # its first label is none of the key's
        assert labels.aims.tolist() == [2, -2, 1, -2]
        assert labels.kept.tolist() == [0, 2]
        assert labels.where.tolist() == [0, 1]
        assert labels.votes([5], None, weigh_scores=False).tolist() == [[0, 1]]
        assert labels.given([]) == -1
        assert not labels.votes([], None, weigh_scores=False).any()

    def test_scores_are_weighed_where_every_label_has_one(self) -> None:
        labels = Labels([[0, 1], [2], []], np.array([1, 2]), range(3))
        votes = labels.votes([2, 0], [0.75, 0.25], weigh_scores=True)
        assert votes.shape == (1 + len(CLIPS), 3)
        assert votes[0].tolist() == [0, 0, 1]
        logs = [math.log(0.25), math.log(0.25), math.log(0.75)]
        assert votes[1:] == pytest.approx(np.tile(logs, (3, 1)))
        zero = labels.votes([2, 1], [1.0, 0.0], weigh_scores=True)
        assert zero[1:, 0].tolist() == list(CLIPS)

    @pytest.mark.parametrize(
        ("answer", "scores"),
        [([2], [1.0]), ([2, 0], [1.0]), ([2, 0], None), ([2, 0, 1], [0.5, 0.3, 0.2]), ([], [])],
    )
    def test_scores_that_lack_a_label_or_give_one_twice_count_for_nothing(
        self, answer: list[int], scores: list[float] | None
    ) -> None:
        labels = Labels([[0, 1], [2]], np.array([1, 2]), range(3))
        votes = labels.votes(answer, scores, weigh_scores=True)
        assert not votes[1:].any()
        assert votes[0].sum() == bool(answer)

    @pytest.mark.parametrize("place", [0, 1])
    def test_labels_that_were_not_declared_are_refused(self, place: int) -> None:
        labels = Labels([[0], [1]], np.array([0, 1]), range(2))
        answer = [0, 1]
        answer[place] = 7
        with pytest.raises(VerificationError, match="label 7 is none"):
            labels.votes(answer, [0.6, 0.4], weigh_scores=True)

    @pytest.mark.parametrize(
        ("groups", "words"),
        [
            ([[0], [7]], "has 1 of the key's 6"),
            ([], "has 0 of the key's 6"),
            ([[0, 1, 2, 3, 4, 5]], "under 1 of its labels"),
            ([[0, 1], [1, 2]], "two of the suspect's labels"),
            ([[0, 0], [1]], "two of the suspect's labels"),
        ],
    )
    def test_maps_that_tell_nothing_or_two_things_are_refused(
        self, groups: Groups, words: str
    ) -> None:
        with pytest.raises(VerificationError, match=words):
            Labels(groups, TARGETS, range(6))


class TestBlocks:
    def test_hits_of_parts_and_of_other_parts(self) -> None:
        """Parts 1 and 3 share a target, so that neither is a decoy of the other."""
        labels = Labels(TEN, TARGETS, range(6))
        blocks = Blocks(labels, 5)
        assert add(blocks, labels, [0, 3, 3, 0]) == [True, True, False, False]
        assert blocks.hits.tolist() == [1, 1, 0, 0]
        assert blocks.other_asked == 12 - 2
        assert blocks.other_hits == 3  # class 0 by part 3; class 3 by part 2, for parts 1 and 3
        assert blocks.count == 1

    def test_moved_is_the_share_that_leaves_the_usual_answer(self) -> None:
        labels = Labels(TEN, TARGETS, range(6))
        blocks = block(labels, [1, 1, 1, 2])
        assert blocks.moved == 1 / 4
        add(blocks, labels, [2, 2, 2, 2])
        assert blocks.moved == 1 / 8
        add(blocks, labels, [2, 2, -1, -1], [False, False, True, True])
        assert blocks.moved == 1 / 10  # what failed did not move
        assert block(labels, [-1] * 4, [True] * 4).moved == 0

    @given(st.lists(st.integers(-1, 5), min_size=4, max_size=4), st.permutations(range(6)))
    def test_no_target_has_a_say_in_what_moved(self, given_: list[int], order: list[int]) -> None:
        one = block(Labels(TEN, TARGETS, range(6)), given_)
        other = block(Labels(TEN, np.array(order[:4]), range(6)), given_)
        assert one.moved == other.moved

    def test_what_failed_is_no_hit_and_no_vote(self) -> None:
        labels = Labels(TEN, TARGETS, range(6))
        blocks = block(labels, [-1] * 4, [True] * 4)
        assert not blocks.hits.any()
        assert blocks.looked() == [[1, 0.0]]  # E = 1

    def test_parts_of_lacking_targets_are_left_out_of_the_mean(self) -> None:
        """Their answers change nothing: E is that of the two kept parts alone."""
        lacking = Labels([[0], [1], [2], [3]], TARGETS, range(6))
        assert lacking.kept.tolist() == [0, 1, 3]
        e_values = {block(lacking, [0, 3, other, 3]).log_e for other in range(4)}
        assert len(e_values) == 1

    def test_a_suspect_that_has_no_part_s_target(self) -> None:
        labels = Labels([[1], [2]], TARGETS, range(6))
        blocks = block(labels, [-1, 1, 2, 1])
        assert blocks.log_e == -math.inf
        assert blocks.looked() == []

    def test_one_part_alone_says_nothing(self) -> None:
        """Centred on itself, whatever it answers."""
        labels = Labels([[0], [1]], TARGETS, range(6))
        assert labels.kept.tolist() == [0]
        assert block(labels, [0, 1, 1, -1]).looked() == [[1, 0.0]]
