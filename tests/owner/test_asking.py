"""Running a proof over a log: what is replayed, what is asked again, when a run pauses."""

import numpy as np
import pytest
import torch

from datadeed.errors import EvidenceError, WatermarkError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.owner.asking import OutOfReach, asked_sample, rows_needed, run_proof
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.replaying import Replay, spans
from datadeed.owner.suspects.base import Answer, BudgetSpent, failure, question_digest
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2

ANCHOR = "0a" * 32
CLASSES = tuple(map(str, range(10)))
DESIGN = Design2(CLASSES, 1, tuple(range(10)), parts=6, alpha=1e-3)
KEY = Key2(bytes(32), bytes(32), DESIGN, Extent(1000, "00" * 32), Extent(100, "00" * 32))
LABELS = np.arange(100) % 10
IMAGES = {
    row: torch.randint(
        0, 256, (1, 1, 8, 8), generator=torch.Generator().manual_seed(row), dtype=torch.uint8
    )
    for row in range(100)
}
CANARY = IMAGES[0]


def proof():
    return Proof2(KEY, LABELS)


def thief(question):
    return honest(question) if question.layer == "decoy" else KEY.target(question.part)


def honest(question):
    return int(LABELS[question.row])


QUESTIONS = {
    question_digest(asked_sample(KEY, Question(layer, part, row), IMAGES)[0]): Question(
        layer, part, row
    )
    for layer in ("decoy", "block")
    for part in range(DESIGN.parts)
    for row in range(100)
}


class Scripted:
    """Answers by ``respond``, but fails on the calls in ``failing``; keeps what it was asked.

    Clean images are no calls: they are answered unless ``asleep``.
    """

    def __init__(self, respond, failing=(), *, asleep=True):
        self.respond, self.failing, self.asleep = respond, failing, asleep
        self.asked, self.canaries = [], 0

    def predict(self, images):
        return [self._one(image) for image in images]

    def _one(self, image):
        question = QUESTIONS.get(question_digest(image))
        if question is None:
            self.canaries += 1
            return failure("asleep") if self.asleep else Answer((0,), None)
        self.asked.append((question.part, question.row))
        if len(self.asked) - 1 in self.failing:
            return failure("asleep")
        return Answer((self.respond(question),), None)


@pytest.fixture
def run(tmp_path):
    """Runs a fresh proof on one log; gives the proof and the log's records."""

    def run(suspect):
        with QueryLog(tmp_path, ANCHOR) as log:
            made = proof()
            try:
                run_proof(made, suspect, IMAGES, log, CANARY)
            finally:
                run.records = log.records
        return made

    return run


def replayed(records):
    replay = Replay(proof())
    replay.take_all(records)
    return replay


def undisturbed(respond):
    whole = proof()
    while step := whole.step():
        whole.answer((respond(step[0]),))
    return whole


class TestRun:
    @pytest.mark.parametrize(
        ("respond", "word", "count"), [(thief, "CLAIM", 6), (honest, "NOT SUPPORTED", 52)]
    )
    def test_it_asks_until_the_verdict_stands(self, run, respond, word, count):
        suspect = Scripted(respond)
        made = run(suspect)
        assert made.verdict()[0] == word
        assert made.step() == []
        assert abs(len(made.curve) - count) <= 6
        assert len(suspect.asked) == len(run.records) == len(made.curve)
        assert [(one.part, one.row) for one in run.records] == suspect.asked
        again = replayed(run.records)
        assert again.taken == len(suspect.asked)
        whole = undisturbed(respond)
        assert whole.record() == made.record()

    def test_a_block_goes_out_at_once_and_is_on_the_disk_before_the_next(self, tmp_path):
        log_file, sizes = tmp_path / "queries.jsonl", []

        class Watching(Scripted):
            at_once = 10

            def predict(self, images):
                assert len(log_file.read_bytes().splitlines()) == len(self.asked)
                sizes.append(len(images))
                return super().predict(images)

        suspect, seen = Watching(honest), []
        with QueryLog(tmp_path, ANCHOR) as log:
            run_proof(
                proof(), suspect, IMAGES, log, CANARY,
                on_answer=lambda now: seen.append(len(now.curve)),
            )  # fmt: skip
        assert sizes[0] == 6
        assert set(sizes[1:]) == {2}
        assert seen == np.cumsum(sizes).tolist()

    def test_the_digest_is_of_the_image_with_its_trigger(self, run):
        run(Scripted(honest))
        assert {record.purpose for record in run.records} == {"block", "pair", "decoy"}
        for record in run.records:
            question = Question(record.purpose, record.part, record.row)
            wanted = asked_sample(KEY, question, IMAGES)[0]
            assert record.question == question_digest(wanted)
            assert not torch.equal(wanted, IMAGES[record.row][0])

    def test_rows_needed_are_all_that_can_be_asked(self, run):
        suspect = Scripted(lambda question: (question.part + question.row) % 10)
        run(suspect)
        needed = rows_needed(proof())
        assert needed == sorted(set(needed))
        assert {row for _, row in suspect.asked} <= set(needed)

    def test_images_of_other_channels(self):
        with pytest.raises(WatermarkError, match="3 channels"):
            asked_sample(
                KEY, Question("block", 0, 0), {0: torch.zeros(1, 3, 8, 8, dtype=torch.uint8)}
            )


class TestResume:
    @pytest.mark.parametrize("after", [0, 1, 5, 6, 7, 20])
    def test_nothing_is_asked_twice(self, run, after):
        """Stopped in the middle of a step: what was answered stays, the rest is asked."""

        class Stopping(Scripted):
            def predict(self, images):
                left = after - len(self.asked)
                if left < len(images):
                    super().predict(images[:left])
                    raise BudgetSpent("no more")
                return super().predict(images)

        first, second = Stopping(honest), Scripted(honest)
        with pytest.raises(BudgetSpent):
            run(first)
        logged = len(run.records)
        made = run(second)
        assert len(run.records) - logged == len(second.asked)
        assert made.record() == undisturbed(honest).record()

    def test_a_finished_proof_asks_nothing(self, run):
        run(Scripted(thief))
        idle = Scripted(thief)
        assert run(idle).verdict()[0] == "CLAIM"
        assert idle.asked == []


class TestFailures:
    def test_a_failure_within_a_step_counts_and_is_not_asked_again(self, run):
        suspect = Scripted(thief, failing=(0, 1, 3))
        made = run(suspect)
        assert made.failed["block"] == 3
        assert len(set(suspect.asked)) == len(suspect.asked)
        assert suspect.canaries == 0
        assert replayed(run.records).lost == []

    def test_a_step_that_ends_in_failures_pauses_if_a_clean_image_fails_too(self, run):
        suspect = Scripted(thief, failing=(4, 5))
        with pytest.raises(OutOfReach, match=r"2 questions failed, the last with 'asleep'"):
            run(suspect)
        assert len(suspect.asked) == 6
        again = replayed(run.records)
        assert (again.taken, spans(again.lost)) == (4, "4 to 5")

    def test_they_count_if_it_is_answered(self, run):
        suspect = Scripted(thief, failing=(4, 5), asleep=False)
        made = run(suspect)
        assert suspect.canaries == 1
        assert made.failed["block"] == 2
        assert len(set(suspect.asked)) == len(suspect.asked)
        assert replayed(run.records).lost == []

    @pytest.mark.parametrize("pauses", [1, 2, 3])
    def test_what_failed_in_a_pause_is_asked_again(self, run, pauses):
        """And leaves no trace where the answers then lead elsewhere, but for the budget."""
        for _ in range(pauses):
            with pytest.raises(OutOfReach):
                run(Scripted(thief, failing=range(100)))
        made = run(Scripted(thief))
        assert made.verdict() == undisturbed(thief).verdict()
        assert made.asked_in_vain == 6 * pauses
        assert replayed(run.records).taken == 6

    def test_a_suspect_that_refuses_every_trigger_is_found_out(self, run):
        suspect = Scripted(honest, failing=range(10**6), asleep=False)
        made = run(suspect)
        assert made.verdict() == ("INCONCLUSIVE", "the suspect refuses or filters marked images")
        assert len(suspect.asked) < 60

    def test_a_budget_spent_in_vain_ends_the_questions(self):
        made = proof()
        made.asked_in_vain = DESIGN.budget - 6
        assert len(made.step()) == 6
        made.asked_in_vain += 1
        assert made.step() == []
        assert made.verdict()[0] == "INCONCLUSIVE"

    def test_any_pattern_of_failures_and_pauses_ends_where_the_log_says(self, tmp_path):
        """The proof as it ran and the one that the log gives agree, whatever happened."""
        rng = np.random.default_rng(0)
        for case in range(5):
            for turn in range(200):
                failing = set(np.flatnonzero(rng.random(500) < 0.3))
                suspect = Scripted(honest, failing=failing, asleep=turn % 2 == 0)
                with QueryLog(tmp_path / str(case), ANCHOR) as log:
                    made = proof()
                    try:
                        run_proof(made, suspect, IMAGES, log, CANARY)
                    except OutOfReach:
                        continue
                    finally:
                        records = log.records
                    break
            else:
                pytest.fail("it never came to an end")
            again = proof()
            Replay(again).take_all(records)
            assert again.record() == made.record()
            assert again.asked_in_vain == made.asked_in_vain
            assert again.verdict()[0] != "NOT SUPPORTED" or again.effect.high < 0.2


class TestChoosing:
    @pytest.fixture
    def records(self, run):
        run(Scripted(honest))
        return run.records

    @pytest.mark.parametrize("case", ["again", "left out", "swapped", "another row", "added"])
    def test_other_questions_than_the_key_asks_are_refused(self, records, case):
        changed = {
            "again": [*records[:8], records[7], *records[8:]],
            "left out": [*records[:3], *records[4:]],
            "swapped": [*records[:3], records[4], records[3], *records[5:]],
            "another row": [*records[:9], records[-1], *records[10:]],
            "added": [*records, records[-1]],
        }
        with pytest.raises(EvidenceError, match="answers may not be chosen among"):
            replayed(changed[case])
        assert replayed(records).taken == len(records)


def test_spans():
    class Numbered:
        def __init__(self, seq):
            self.seq = seq

    assert spans([Numbered(n) for n in (1, 2, 3, 5, 7, 8)]) == "1 to 3, 5, 7 to 8"
    assert spans([]) == ""
