"""The daily watch: fresh questions, days that count, and its error rate over a whole life."""

import numpy as np
import pytest

from datadeed.errors import VerificationError
from datadeed.keys.key import Design, Extent, Key
from datadeed.verification.proof import Proof
from datadeed.verification.watch import EVIDENCE, NO_EVIDENCE, Watch
from datadeed.watermarks.keyed import target_label

HIT, MISS, FAIL = "hit", "miss", "fail"


def make_key(secret=1, pool=200, **values):
    design = Design(
        classes=tuple(map(str, range(10))), channels=1, **{"parts": 2, "budget": 20, **values}
    )
    return Key(
        secret.to_bytes(32, "big"), bytes(32), design, Extent(10_000, "00" * 32), Extent(pool, "00")
    )


def make_watch(key=None, **values):
    key = key or make_key()
    return Watch(key, np.arange(key.pool.rows) % 10, **values)


def day(number):
    return f"{2026 + number // 336:04}-{1 + number // 28 % 12:02}-{1 + number % 28:02}"


def give(watch, what, question, date):
    target = target_label(watch.key, question.part)
    label = {HIT: target, MISS: (target + 1) % 10, FAIL: None}[what]
    watch.answer(label, date=date, failed=what == FAIL)


def live(watch, respond, days=10**6):
    """One run a day until the watch is over; ``respond`` takes the question and the day."""
    for number in range(days):
        for question in watch.questions(day(number)):
            give(watch, respond(question, number), question, day(number))
        if watch.over:
            break
    return watch


class TestQuestions:
    def test_each_is_fresh_and_none_is_a_verifications(self):
        watch = make_watch()
        asked = []
        live(watch, lambda question, _: asked.append(question) or MISS)
        proof = Proof(watch.key, np.arange(200) % 10)
        pairs = [(question.part, question.row) for question in asked]
        of_verify = {tuple(pair) for pair in proof.behaviour_layer.pairs[:20].tolist()}
        assert len(set(pairs)) == len(pairs) == len(watch.pairs)
        assert not of_verify & set(pairs)
        assert not set(proof.key_layer.rows.tolist()) & {row for _, row in pairs}

    def test_the_last_day_is_shorter_and_then_it_is_over(self):
        watch = live(make_watch(batch=7), lambda *_: MISS)
        assert [record["n"] for record in watch.days[-2:]] == [7, len(watch.pairs) % 7]
        assert watch.over
        assert watch.questions("9999-01-01") == []
        word, reason = watch.verdict()
        assert word == NO_EVIDENCE
        assert reason.startswith(f"all {len(watch.pairs)} questions were asked")
        with pytest.raises(VerificationError, match="nothing is asked any more"):
            watch.answer(0, date="9999-01-01")

    @pytest.mark.parametrize("batch", [2, 1001])
    def test_a_senseless_batch_is_refused(self, batch):
        with pytest.raises(VerificationError, match="questions a day: give 3 to 1000"):
            make_watch(batch=batch)

    def test_a_pool_without_further_questions_is_refused(self):
        with pytest.raises(VerificationError, match="commit to a larger pool"):
            make_watch(make_key(budget=178), batch=10)


class TestDays:
    def test_late_runs_ask_one_batch_a_date(self):
        watch = make_watch()
        sizes = []
        for date in ["2026-01-01"] * 6 + ["2026-01-02"] * 2:
            questions = watch.questions(date)
            sizes.append(len(questions))
            for question in questions:
                give(watch, MISS, question, date)
        assert sizes == [10, 0, 0, 0, 0, 0, 10, 0]

    def test_a_clock_that_is_set_back_makes_no_room(self):
        watch = make_watch()
        for question in watch.questions("2026-01-02"):
            give(watch, MISS, question, "2026-01-01")  # set back while the batch ran
        assert watch.questions("2026-01-01") == []
        for question in watch.questions("2026-01-05"):
            give(watch, MISS, question, "2025-12-31")
        assert [record["date"] for record in watch.days] == ["2026-01-01", "2026-01-01"]

    def test_an_interrupted_batch_goes_on_and_counts_as_one_day(self):
        watch = make_watch()
        first = watch.questions("2026-01-01")
        for question in first[:4]:
            give(watch, HIT, question, "2026-01-01")
        assert watch.questions("2026-01-03") == first[4:]
        for question in first[4:]:
            give(watch, MISS, question, "2026-01-03")
        assert [(record["date"], record["hits"]) for record in watch.days] == [("2026-01-03", 4)]
        assert watch.questions("2026-01-03") == []

    def test_out_of_reach_is_no_day_and_no_miss(self):
        watch = make_watch()
        questions = watch.questions("2026-01-01")
        give(watch, HIT, questions[0], "2026-01-01")
        for question in questions[1:4]:
            give(watch, FAIL, question, "2026-01-01")
        assert watch.out_of_reach
        assert watch.days == []
        assert watch.questions("2026-01-01") == questions[1:]

    def test_a_failed_query_is_a_miss(self):
        what = [HIT, FAIL, FAIL, HIT, HIT, FAIL, HIT, HIT, FAIL, FAIL]
        failing, missing = make_watch(), make_watch()
        for watch in (failing, missing):
            for question, answer in zip(watch.questions("2026-01-01"), what, strict=True):
                given = MISS if watch is missing and answer == FAIL else answer
                give(watch, given, question, "2026-01-01")
        assert not failing.out_of_reach
        assert failing.days == [missing.days[0] | {"failed": 5}]


class TestEvidence:
    def test_a_thief_shows_on_the_first_day(self):
        watch = live(make_watch(), lambda *_: HIT)
        assert len(watch.days) == 1
        assert watch.over
        assert watch.verdict() == (EVIDENCE, "reached E of 100 on day 1, 2026-01-01")

    def test_more_suspects_raise_the_bar(self):
        watch = live(make_watch(suspects=10**6), lambda *_: HIT)
        assert len(watch.days) == 2
        assert watch.record()["threshold"] == pytest.approx(1e8)

    def test_a_model_exchanged_for_a_marked_one_shows_within_days(self):
        """At a hit rate of 0.9 from day 20 on: specification B (vi) has a median of 2 days."""
        delays = []
        for secret in range(20):
            rng = np.random.default_rng(secret)
            watch = make_watch(make_key(secret, pool=600))
            live(watch, lambda _, now, rng=rng: HIT if now >= 20 and rng.random() < 0.9 else MISS)
            assert watch.passed
            delays.append(len(watch.days) - 20)
        assert min(delays) >= 1
        assert np.median(delays) <= 3

    @pytest.mark.parametrize("exchanged", [False, True], ids=["one model", "another every day"])
    def test_lifetime_false_alarms_are_at_most_alpha(self, exchanged):
        """A quarter of all pairs hit, to the last question; the order is the only randomness."""
        alpha, runs, alarms = 0.05, 250, 0
        for secret in range(runs):
            watch = make_watch(make_key(secret, alpha_behaviour=alpha))
            pairs = sorted(map(tuple, watch.pairs.tolist()))
            place = {pair: number for number, pair in enumerate(pairs)}

            def innocent(question, now, place=place):
                shifted = place[question.part, question.row] + (37 * now if exchanged else 0)
                return HIT if shifted % len(place) < len(place) // 4 else MISS

            alarms += live(watch, innocent).passed
        assert alarms / runs <= alpha

    def test_a_rate_above_the_null_is_found(self):
        found = 0
        for secret in range(50):
            rng = np.random.default_rng(secret)
            watch = make_watch(make_key(secret))
            found += live(watch, lambda *_, rng=rng: HIT if rng.random() < 0.6 else MISS).passed
        assert found >= 45
