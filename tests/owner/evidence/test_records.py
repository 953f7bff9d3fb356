import dataclasses
import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import EvidenceError
from datadeed.owner.evidence import records
from datadeed.owner.evidence.fields import utc_text
from datadeed.owner.evidence.log import JSONL, PARQUET, QueryLog, read_parquet
from datadeed.owner.evidence.records import Record
from tests.owner.evidence.samples import ANCHOR, answer, question


def test_every_field_of_a_record_is_checked():
    assert list(records._CHECKS) == [field.name for field in dataclasses.fields(Record)]


def test_times_are_written_in_utc_with_milliseconds():
    east = dt.timezone(dt.timedelta(hours=9))
    moment = dt.datetime(2026, 11, 22, 18, 0, 0, 1999, tzinfo=east)
    assert utc_text(moment) == "2026-11-22T09:00:00.001Z"


@pytest.mark.parametrize(
    "value",
    [
        {"scores": (float("nan"),)},
        {"scores": (float("inf"),)},
        {"seconds": -1.0},
        {"response_sha256": "short"},
        {"attempts": 2**63},
    ],
)
def test_what_cannot_stand_in_a_log_is_refused_and_not_written(tmp_path, value):
    with QueryLog(tmp_path, ANCHOR) as log:
        with pytest.raises(EvidenceError, match=f"{next(iter(value))} cannot be"):
            log.append(
                purpose="key", part=0, row=0, question=question(0), answer=answer(1, **value)
            )
        assert log.records == []
    assert (tmp_path / JSONL).read_bytes() == b""


@settings(max_examples=40)
@given(
    answers=st.lists(
        st.builds(
            answer,
            st.integers(0, 2**63 - 1),
            st.integers(0, 9),
            scores=st.none()
            | st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple),
            error=st.text(st.characters()),  # all of Unicode, lone surrogates too
            attempts=st.integers(0, 5),
            seconds=st.floats(0, 1e9),
            response_sha256=st.sampled_from(["", question(5)]),
        ),
        max_size=4,
    ),
    part=st.none() | st.integers(0, 11),
)
def test_any_answer_comes_back_bit_for_bit_from_both_files(tmp_path_factory, answers, part):
    folder = tmp_path_factory.mktemp("log")
    with QueryLog(folder, ANCHOR) as log:
        for number, given_answer in enumerate(answers):
            record = log.append(
                purpose="behaviour",
                part=part,
                row=number,
                question=question(number),
                answer=given_answer,
            )
            assert (record.labels, record.seconds) == (given_answer.labels, given_answer.seconds)
            assert repr(record.scores) == repr(given_answer.scores)
            assert record.error.isprintable()
        log.write_parquet()
    with QueryLog(folder, ANCHOR) as again:
        assert repr(again.records) == repr(log.records)
    assert repr(read_parquet(folder / PARQUET, ANCHOR)) == repr(log.records)


def test_a_record_gives_its_answer_back(tmp_path):
    with QueryLog(tmp_path, ANCHOR) as log:
        record = log.append(
            purpose="key",
            part=0,
            row=0,
            question=question(0),
            answer=answer(4, 2, scores=(0.6, 0.3)),
        )
    assert record.answer().labels == (4, 2)
    assert record.answer().scores == (0.6, 0.3)
