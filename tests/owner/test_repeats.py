"""Questions asked again: which may be, which not, and what they cost."""

import pytest

from datadeed.errors import EvidenceError
from datadeed.owner.asking import OutOfReach, counting_records, replay, run_proof
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.repeats import BudgetedProof, asked_in_vain, check_repeats, spans
from datadeed.owner.suspects.base import Answer, failure
from tests.owner.test_asking import ANCHOR, IMAGES, KEY, LABELS, Scripted, thief


@pytest.fixture
def log(tmp_path):
    with QueryLog(tmp_path, ANCHOR) as log:
        yield log


def write(log, text):
    """Records in the order of a text such as "a1 b- a2": a question's letter, its label or -."""
    for word in text.split():
        answer = failure("asleep") if word[1] == "-" else Answer((int(word[1]),), None)
        row = ord(word[0])
        log.append(purpose="key", part=0, row=row, question="00" * 32, answer=answer)
    return log.records


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a1 b2 c-",
        "a- b- c1",
        "a1 b- c- d- b1 c1 d1",
        "b- c- d- b- b- b1",
        "b- c- d- b1 c- d- e- f- c1",
    ],
)
def test_what_a_pause_leaves_is_allowed(log, text):
    check_repeats(write(log, text))


@pytest.mark.parametrize(
    ("text", "seq"),
    [("a1 a1", 1), ("a1 a-", 1), ("a- a1", 1), ("a- b- a1", 2), ("a1 b- c- d- a1", 4)],
)
def test_choosing_among_answers_is_refused(log, text, seq):
    with pytest.raises(EvidenceError, match=f"record {seq} of the log asks part 0"):
        check_repeats(write(log, text))


@pytest.mark.parametrize("where", [{"part": None, "row": 5}, {"part": 0, "row": None}])
def test_a_question_without_a_place_is_refused(log, where):
    log.append(purpose="key", question="00" * 32, answer=Answer((1,), None), **where)
    with pytest.raises(EvidenceError, match="is no question of a verification"):
        check_repeats(log.records)


def test_spans(log):
    lost = asked_in_vain(write(log, "a1 b- c- d- b1 c- d- e- f- c1"))
    assert spans(lost) == "1 to 3, 5 to 8"
    assert spans(lost[:1]) == "1"
    assert spans([]) == ""


def test_pauses_are_charged_to_the_budget_and_harm_no_verification(log):
    """An hour without answers, and the verdict is the one it would have been."""
    with pytest.raises(OutOfReach):
        run_proof(BudgetedProof(KEY, LABELS), Scripted(thief, failing=(5, 6, 7)), IMAGES, log)
    for _ in range(30):  # tried again every two minutes
        with pytest.raises(OutOfReach):
            run_proof(BudgetedProof(KEY, LABELS), Scripted(thief, failing=(0,)), IMAGES, log)
    proof = BudgetedProof(KEY, LABELS)
    proof.in_vain = len(asked_in_vain(log.records))
    assert proof.in_vain == 33
    run_proof(proof, Scripted(thief), IMAGES, log)
    assert proof.verdict()[0] == "CLAIM"
    check_repeats(log.records)
    again = proof.fresh()
    assert again.in_vain == 33
    assert replay(again, counting_records(log.records)) == len(proof.curve)


def test_a_budget_spent_in_vain_ends_the_questions():
    proof = BudgetedProof(KEY, LABELS)
    proof.in_vain = KEY.design.budget - 1
    assert proof.question() is not None
    proof.in_vain = KEY.design.budget
    assert proof.question() is None
    assert proof.verdict() == ("INCONCLUSIVE", "the budget is spent and neither layer is decided")
