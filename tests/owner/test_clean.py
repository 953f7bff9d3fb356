"""What the clean answers say about a pool, and how they must stand in a log."""

import dataclasses

import numpy as np
import pytest

from datadeed.errors import EvidenceError
from datadeed.owner.clean import clean_answers, clean_records
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.suspects.base import Answer, failure

QUESTIONS = [f"{number:064x}" for number in (1, 2, 3, 4, 1)]
LABELS = np.array([0, 1, 2, 3])


@pytest.fixture
def log(tmp_path):
    with QueryLog(tmp_path, "0a" * 32) as log:
        yield log


def write(log, questions, answers=None):
    for place, question in enumerate(questions):
        answer = Answer((0,), None) if answers is None else answers[place]
        log.append(purpose="probe", part=None, row=None, question=question, answer=answer)


def said(log, *labels):
    """The pool's flags when these labels were given; None is a failure."""
    given = [failure("busy") if label is None else Answer((label,), None) for label in labels]
    write(log, QUESTIONS, [*given, given[0]])
    return clean_answers(clean_records(log.records, QUESTIONS), LABELS, [[k] for k in range(4)])


class TestFlags:
    def test_right_answers(self, log):
        found = said(log, 0, 1, 2, 3)
        assert found.record() == {
            "asked": 4, "answered": 4, "right": 4, "labels": 4,
            "most": 1, "most_true": 1, "kinds": 4,
        }  # fmt: skip
        assert found.flags() == []

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            ((0, 1, 3, 2), ["wrong on half"]),
            ((0, 0, 0, 3), ["wrong on half", "one label"]),
            ((0, 0, 0, 0), ["wrong on half", "one label"]),
            ((0, None, None, None), []),  # one kind of label: nothing to tell
            ((None, None, None, None), ["wrong on half"]),
        ],
    )
    def test_a_pool_that_may_have_been_picked(self, log, labels, words):
        flags = said(log, *labels).flags()
        assert len(flags) == len(words)
        assert all(word in flag for word, flag in zip(words, flags, strict=True))

    def test_a_line_between_three_and_two_right(self, log):
        assert said(log, 0, 1, 2, 1).flags() == []


class TestRecords:
    @pytest.mark.parametrize("first", [0, 1, 3, 4])
    def test_what_a_killed_run_left_may_precede(self, log, first):
        write(log, QUESTIONS[:first])
        write(log, QUESTIONS)
        assert clean_records(log.records, QUESTIONS) == log.records[first:]

    @pytest.mark.parametrize(
        "questions",
        [
            [],
            QUESTIONS[:4],
            QUESTIONS[::-1],
            [QUESTIONS[1], *QUESTIONS],
            [*QUESTIONS[:2], QUESTIONS[3], *QUESTIONS],
            [*QUESTIONS, QUESTIONS[0]],
        ],
    )
    def test_others_are_refused(self, log, questions):
        write(log, questions)
        with pytest.raises(EvidenceError, match="clean"):
            clean_records(log.records, QUESTIONS)


@pytest.mark.parametrize(
    ("groups", "right", "answered"),
    [([[0, 1], [2, 3]], 4, 4), ([[0], [1]], 2, 2), ([[0], [1, 2]], 3, 3)],
)
def test_merged_and_missing_classes(log, groups, right, answered):
    """A right answer is any class of the group; images of other classes say nothing."""
    first = {member: group[0] for group in groups for member in group}
    said(log, 0, first.get(1, 0), 2, first.get(3, 0))
    found = clean_answers(clean_records(log.records, QUESTIONS), LABELS, groups)
    assert (found.right, found.answered) == (right, answered)


def test_a_later_clean_question_is_about_the_first_image(log):
    write(log, QUESTIONS)
    log.append(purpose="block", part=0, row=0, question="ab" * 32, answer=Answer((0,), None))
    write(log, QUESTIONS[:1])
    assert len(clean_records(log.records, QUESTIONS)) == 5
    write(log, QUESTIONS[1:2])
    with pytest.raises(EvidenceError, match="another clean sample"):
        clean_records(log.records, QUESTIONS)


def test_every_number_is_in_the_record(log):
    found = said(log, 0, 1, 2, 3)
    assert {field.name for field in dataclasses.fields(found)} == set(found.record())
