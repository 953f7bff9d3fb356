"""Watching over a log: what is replayed, what is written down, and when the suspect changed."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import EvidenceError
from datadeed.owner.asking import OutOfReach
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import new_record
from datadeed.owner.suspects.base import Answer, failure
from datadeed.owner.versions import Versions
from datadeed.owner.watch import ask_batch, replay
from tests.verification.test_watch2 import (
    FAIL,
    HIT,
    MISS,
    day,
    give,
    labels_of,
    live,
    make_key,
    make_watch,
)

ANCHOR = "0" * 64


class TestReplay:
    @settings(max_examples=40)
    @given(st.lists(st.sampled_from([HIT, MISS, MISS, MISS, FAIL]), max_size=60))
    def test_every_beginning_of_a_log_gives_the_state_that_was_acted_on(self, answers):
        watch, records = make_watch(suspects=10**9), []
        number = 0
        for what in answers:
            if not watch.questions(day(number)):
                number += 1
            question = watch.questions(day(number))[0]
            records.append(as_record(watch, question, what, day(number), len(records)))
            give(watch, what, question, day(number))
            again = make_watch(suspects=10**9)
            replay(again, Versions(), records)
            assert again.record() == watch.record()
            assert again.questions(day(number + 1)) == watch.questions(day(number + 1))

    @pytest.mark.parametrize(
        "change",
        [{"part": None}, {"row": 10**6}, {"purpose": "pair"}],
        ids=["part", "row", "layer"],
    )
    def test_another_question_is_refused(self, change):
        watch = make_watch()
        record = as_record(watch, watch.questions(day(0))[0], HIT, day(0), 0)
        with pytest.raises(EvidenceError, match="record 0 of the log answers another question"):
            replay(watch, Versions(), [dataclasses.replace(record, **change)])

    def test_an_answer_after_the_end_is_refused(self):
        watch = make_watch(make_key(parts=12))
        question = watch.questions(day(0))[0]
        live(watch, lambda *_: HIT)
        with pytest.raises(EvidenceError, match="another question"):
            replay(watch, Versions(), [as_record(watch, question, HIT, day(1), 0)])


def as_record(watch, question, what, date, seq):
    labels = labels_of(watch, what, question)
    answer = failure("away") if what == FAIL else Answer(labels, None)
    record = new_record(
        seq=seq,
        previous=ANCHOR,
        purpose=question.layer,
        part=question.part,
        row=question.row,
        question=ANCHOR,
        answer=answer,
    )
    return dataclasses.replace(record, time=f"{date}T00:00:00.000Z")


class Stub:
    """Answers class 0 while it is up."""

    up = True

    def predict(self, images):
        return [Answer((0,), None) if self.up else failure("away") for _ in images]


IMAGES = {row: torch.zeros(1, 1, 8, 8, dtype=torch.uint8) for row in range(200)}


class TestAskBatch:
    def test_every_answer_is_written_down(self, tmp_path):
        watch = make_watch()
        with QueryLog(tmp_path, ANCHOR) as log:
            ask_batch(watch, Stub(), IMAGES, log, "2026-01-01")
            assert len(log.records) == 4
            again = make_watch()
            replay(again, Versions(), log.records)
        assert again.record() == watch.record()
        assert len(watch.days) == 1
        assert math.isfinite(watch.record()["log_e"])

    def test_out_of_reach_and_back(self, tmp_path):
        watch, stub = make_watch(), Stub()
        stub.up = False
        with QueryLog(tmp_path, ANCHOR) as log:
            with pytest.raises(OutOfReach, match="the last with 'away'"):
                ask_batch(watch, stub, IMAGES, log, "2026-01-01")
            assert [record.purpose for record in log.records] == ["block"] * 3
            assert watch.days == []
            stub.up = True
            ask_batch(watch, stub, IMAGES, log, "2026-01-01")
        assert watch.days[0]["n"] == 4
        assert watch.days[0]["failed"] == 0


def probe(date, label, question="a" * 64, *, score=None, error=""):
    answer = Answer((label,), score and (score,))
    record = new_record(
        seq=0, previous=ANCHOR, purpose="probe", part=None, row=None, question=question,
        answer=failure(error) if error else answer,
    )  # fmt: skip
    return dataclasses.replace(record, time=f"{date}T00:00:00.000Z")


def test_a_change_of_clean_answers_is_dated():
    records = [
        probe("2026-01-01", 1),
        probe("2026-01-01", 2, "b" * 64),
        probe("2026-01-02", 1),
        probe("2026-01-03", 1, error="away"),
        probe("2026-01-04", 3),
        probe("2026-01-04", 5, "b" * 64),
        probe("2026-01-05", 3),
        probe("2026-01-06", 1),
    ]
    versions = Versions()
    told = [versions.take(record) for record in records]
    assert told == [False] * 4 + [True, True, False, True]
    assert versions.changed_on == ["2026-01-04", "2026-01-06"]


@pytest.mark.parametrize(
    ("before", "now", "other"),
    [(0.9, 0.905, False), (0.9, 0.88, True), (0.9, None, True), (None, 0.9, True)],
)
def test_scores_tell_an_exchange_that_labels_hide(before, now, other):
    versions = Versions()
    versions.take(probe("2026-01-01", 1, score=before))
    assert versions.take(probe("2026-01-02", 1, score=now)) == other


def test_marked_questions_tell_no_exchange():
    """Their triggers are the key's: the first answer to each is all there is."""
    watch, versions = make_watch(), Versions()
    question = watch.questions(day(0))[0]
    for seq, what in enumerate((HIT, MISS)):
        assert not versions.take(as_record(watch, question, what, day(0), seq))


def test_an_exchange_begins_a_version_with_the_next_batch():
    """The open batch has answers of the version before."""
    watch, versions = make_watch(), Versions()
    records = [probe(day(0), 1)]
    for number in range(4):
        questions = watch.questions(day(number))
        records = [probe(day(number), 1 if number < 2 else 2)]
        records += [as_record(watch, q, MISS, day(number), 0) for q in questions]
        if number == 1:  # noticed in mid-batch
            records.insert(2, probe(day(number), 3))
            records.insert(3, probe(day(number), 2))
        replay(watch, versions, records)
    assert [record["version"] for record in watch.days] == [1, 1, 2, 2]
    assert versions.changed_on == [day(1)]
