"""Running a proof over a log: what is replayed, what is asked again, when a run pauses."""

import numpy as np
import pytest
import torch

from datadeed.errors import WatermarkError
from datadeed.keys.key import Design, Extent, Key
from datadeed.owner.asking import (
    OutOfReach,
    counting_records,
    image_of,
    replay,
    rows_needed,
    run_proof,
)
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.suspects.base import Answer, BudgetSpent, failure, question_digest
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof
from datadeed.verification.watch import FAILURES_IN_A_ROW
from datadeed.watermarks.keyed import target_label

ANCHOR = "0a" * 32
CLASSES = tuple(map(str, range(10)))
DESIGN = Design(classes=CLASSES, channels=1, parts=4, alpha_key=1e-3, null_rate=0.4)
KEY = Key(bytes(32), bytes(32), DESIGN, Extent(1000, "00" * 32), Extent(100, "00" * 32))
LABELS = np.arange(100) % 10
IMAGES = {
    row: torch.randint(
        0, 256, (1, 1, 8, 8), generator=torch.Generator().manual_seed(row), dtype=torch.uint8
    )
    for row in range(100)
}


def proof(key=KEY):
    return Proof(key, LABELS)


def thief(question):
    return target_label(KEY, question.part)


def honest(question):
    return int(LABELS[question.row])


QUESTIONS = {
    question_digest(image_of(KEY, Question("", part, row), IMAGES)[0]): (part, row)
    for part in range(DESIGN.parts)
    for row in range(100)
}


class Scripted:
    """Answers by ``respond``, but fails on the calls in ``failing``; keeps what it was asked."""

    def __init__(self, respond, failing=()):
        self.respond, self.failing, self.asked = respond, failing, []

    def predict(self, images):
        assert images.shape == (1, 1, 8, 8)
        self.asked.append(QUESTIONS[question_digest(images[0])])
        if len(self.asked) - 1 in self.failing:
            return [failure("asleep")]
        return [Answer((self.respond(Question("", *self.asked[-1])),), None)]


@pytest.fixture
def run(tmp_path):
    """Runs a fresh proof on one log; gives the proof and the log's records."""

    def run(suspect):
        with QueryLog(tmp_path, ANCHOR) as log:
            made = proof()
            try:
                run_proof(made, suspect, IMAGES, log)
            finally:
                run.records = log.records
        return made

    return run


def replayed(records):
    again = proof()
    counting = counting_records(records)
    return again, replay(again, counting), len(counting)


class TestRun:
    @pytest.mark.parametrize(("respond", "word"), [(thief, "CLAIM"), (honest, "NOT SUPPORTED")])
    def test_it_asks_until_the_verdict_stands(self, run, respond, word):
        suspect = Scripted(respond)
        made = run(suspect)
        assert made.verdict()[0] == word
        assert made.question() is None
        assert len(suspect.asked) == len(run.records) == len(made.curve)
        assert [(one.part, one.row) for one in run.records] == suspect.asked
        again, taken, counting = replayed(run.records)
        assert again.record() == made.record()
        assert taken == counting == len(suspect.asked)

    def test_every_answer_is_on_the_disk_before_the_next_question(self, tmp_path):
        log_file = tmp_path / "queries.jsonl"

        class Watching(Scripted):
            def predict(self, images):
                assert len(log_file.read_bytes().splitlines()) == len(self.asked)
                return super().predict(images)

        suspect, seen = Watching(thief), []
        with QueryLog(tmp_path, ANCHOR) as log:
            run_proof(proof(), suspect, IMAGES, log, lambda now: seen.append(len(now.curve)))
        assert seen == list(range(1, len(suspect.asked) + 1))

    def test_the_digest_is_of_the_image_with_its_trigger(self, run):
        run(Scripted(thief))
        for record in run.records:
            wanted = image_of(KEY, Question("key", record.part, record.row), IMAGES)[0]
            assert record.question == question_digest(wanted)
            assert not torch.equal(wanted, IMAGES[record.row][0])

    def test_rows_needed_are_all_that_can_be_asked(self, run):
        suspect = Scripted(honest)
        run(suspect)
        needed = rows_needed(proof())
        assert needed == sorted(set(needed))
        assert {row for _, row in suspect.asked} <= set(needed)

    def test_images_of_other_channels(self):
        with pytest.raises(WatermarkError, match="3 channels"):
            image_of(KEY, Question("key", 0, 0), {0: torch.zeros(1, 3, 8, 8, dtype=torch.uint8)})


class TestResume:
    @pytest.mark.parametrize("after", [0, 1, 9, 12])
    def test_nothing_is_asked_twice(self, run, after):
        class Stopping(Scripted):
            def predict(self, images):
                if len(self.asked) == after:
                    raise BudgetSpent("no more")
                return super().predict(images)

        first, second = Stopping(thief), Scripted(thief)
        with pytest.raises(BudgetSpent):
            run(first)
        made = run(second)
        undisturbed = Scripted(thief)
        whole = proof()
        while (question := whole.question()) is not None:
            undisturbed.predict(image_of(KEY, question, IMAGES))
            whole.answer(thief(question))
        assert first.asked + second.asked == undisturbed.asked
        assert made.record() == whole.record()

    def test_a_finished_proof_asks_nothing(self, run):
        run(Scripted(thief))
        idle = Scripted(thief)
        assert run(idle).verdict()[0] == "CLAIM"
        assert idle.asked == []


class TestFailures:
    def test_a_failure_alone_counts_and_is_not_asked_again(self, run):
        suspect = Scripted(thief, failing=(0, 1, 4))
        made = run(suspect)
        assert made.key_layer.failed == 3
        assert len(set(suspect.asked)) == len(suspect.asked)
        assert replayed(run.records)[0].record() == made.record()

    def test_three_in_a_row_pause(self, run):
        suspect = Scripted(thief, failing=(5, 6, 7))
        with pytest.raises(OutOfReach, match=r"3 queries in a row failed, the last with 'asleep'"):
            run(suspect)
        assert len(suspect.asked) == 8
        again, taken, counting = replayed(run.records)
        assert taken == counting == len(again.curve) == 5

    @pytest.mark.parametrize("pauses", [1, 2, 3])
    def test_what_failed_in_a_pause_is_asked_again(self, run, pauses):
        """And leaves no trace where the answers then lead elsewhere."""
        with pytest.raises(OutOfReach):
            run(Scripted(thief, failing=(5, 6, 7)))
        for pause in range(1, pauses):
            down = Scripted(thief, failing=(0,))
            with pytest.raises(OutOfReach, match=f"{3 + pause} queries in a row"):
                run(down)
            assert len(down.asked) == 1, "one question shows that it is still down"
        made = run(Scripted(thief))
        whole = proof()
        while (question := whole.question()) is not None:
            whole.answer(thief(question))
        assert made.record() == whole.record()
        again, taken, counting = replayed(run.records)
        assert again.record() == made.record()
        assert taken == counting

    def test_failures_on_both_sides_of_a_stop_add_up(self, run):
        """Killed after two failures, then a third: a pause, as in one run."""

        class Stopping(Scripted):
            def predict(self, images):
                if len(self.asked) == 4:
                    raise BudgetSpent("no more")
                return super().predict(images)

        with pytest.raises(BudgetSpent):
            run(Stopping(thief, failing=(2, 3)))
        with pytest.raises(OutOfReach, match="3 queries in a row"):
            run(Scripted(thief, failing=(0,)))
        assert replayed(run.records)[1] == 2
        made = run(Scripted(thief))
        assert made.verdict()[0] == "CLAIM"
        assert made.key_layer.failed == 0
        assert replayed(run.records)[0].record() == made.record()

    def test_any_pattern_of_failures_and_stops_ends_where_the_log_says(self, tmp_path):
        """The proof as it ran and the one that the log gives agree, whatever happened."""
        rng = np.random.default_rng(0)
        for case in range(5):
            for _ in range(100):
                made = proof()
                suspect = Scripted(honest, failing=set(np.flatnonzero(rng.random(100) < 0.3)))
                with QueryLog(tmp_path / str(case), ANCHOR) as log:
                    try:
                        run_proof(made, suspect, IMAGES, log)
                    except OutOfReach:
                        continue
                    finally:
                        records = log.records
                    break
            else:
                pytest.fail("it never came to an end")
            again, taken, counting = replayed(records)
            assert again.record() == made.record()
            assert taken == counting
            if made.verdict()[0] == "NOT SUPPORTED":
                assert made.behaviour_layer.interval.high < 0.4

    def test_the_last_record_of_a_question_counts(self, tmp_path):
        with QueryLog(tmp_path, ANCHOR) as log:
            for labels in ((1,), (2,)):
                log.append(
                    purpose="key", part=0, row=5, question="00" * 32, answer=Answer(labels, None)
                )
            log.append(
                purpose="probe", part=None, row=None, question="00" * 32, answer=failure("x")
            )
        counting = counting_records(log.records)
        assert {name: record.labels for name, record in counting.items()} == {("key", 0, 5): (2,)}
        assert FAILURES_IN_A_ROW == 3
