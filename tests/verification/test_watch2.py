"""The daily watch: fresh images under every part, days that count, and what is evidence."""

import itertools
import math

import numpy as np
import pytest

from datadeed.errors import VerificationError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.verification.watch2 import EVIDENCE, NO_EVIDENCE, Watch2

HIT, MISS, FAIL = "hit", "miss", "fail"


def make_key(secret=1, pool=200, **values):
    design = Design2(
        classes=tuple(map(str, range(10))),
        channels=1,
        **{"targets": tuple(range(10)), "parts": 4, "budget": 40, **values},
    )
    return Key2(
        secret.to_bytes(32, "big"), bytes(32), design, Extent(10_000, "00" * 32), Extent(pool, "00")
    )


def make_watch(key=None, **values):
    key = key or make_key()
    return Watch2(key, key.pool.rows, **values)


def day(number):
    return f"{2026 + number // 336:04}-{1 + number // 28 % 12:02}-{1 + number % 28:02}"


def labels_of(watch, what, question):
    """HIT: the part's target. MISS: what its image gets anyway. FAIL: none."""
    return {HIT: (watch.key.target(question.part),), MISS: (question.row % 10,), FAIL: ()}[what]


def give(watch, what, question, date):
    watch.answer(labels_of(watch, what, question), date=date, failed=what == FAIL)


def live(watch, respond, days=10**6):
    """One run a day until the watch is over; ``respond`` takes the question and the day."""
    for number in range(days):
        for question in watch.questions(day(number)):
            give(watch, respond(question, number), question, day(number))
        if watch.over:
            break
    return watch


class TestQuestions:
    def test_a_day_is_images_under_every_part_and_none_comes_twice(self):
        watch, asked = make_watch(blocks=3), []
        live(watch, lambda question, _: asked.append(question) or MISS)
        rows = [question.row for question in asked[::4]]
        assert [(question.layer, question.part, question.row) for question in asked] == [
            ("block", part, row) for row in rows for part in range(4)
        ]
        assert sorted(rows) == list(range(200))
        assert watch.days[0]["n"] == 12

    def test_which_images_come_next_is_the_keys_and_no_targets(self):
        """As many questions and the same ones, whatever the key's labels are drawn from."""
        few, all_of_them = make_key(targets=(0, 1)), make_key()
        object.__setattr__(few, "seed", all_of_them.seed)  # which a commitment ties to the design
        assert [few.target(part) for part in range(4)] != [
            all_of_them.target(part) for part in range(4)
        ]
        assert make_watch(few).rows.tolist() == make_watch(all_of_them).rows.tolist()
        assert make_watch().rows.tolist() != make_watch(make_key(secret=2)).rows.tolist()

    def test_the_last_day_is_shorter_and_then_it_is_over(self):
        watch = live(make_watch(blocks=7), lambda *_: MISS)
        assert [record["n"] for record in watch.days[-2:]] == [28, 200 % 7 * 4]
        assert watch.over
        assert watch.questions("9999-01-01") == []
        word, reason = watch.verdict()
        assert word == NO_EVIDENCE
        assert reason.startswith("all 200 images were asked and E of 1e+06 was not reached")
        with pytest.raises(VerificationError, match="nothing is asked any more"):
            watch.answer((0,), date="9999-01-01")

    @pytest.mark.parametrize("blocks", [0, -1, 201, 251])
    def test_a_senseless_number_of_images_is_refused(self, blocks):
        with pytest.raises(VerificationError, match="images a day of 4 questions: give 1 to 200"):
            make_watch(blocks=blocks)

    def test_a_day_has_a_thousand_questions_at_most(self):
        with pytest.raises(VerificationError, match="give 1 to 250"):
            make_watch(make_key(pool=1000), blocks=251)

    def test_another_pool_is_refused(self):
        with pytest.raises(VerificationError, match="bound to a pool of 200 images"):
            Watch2(make_key(), 199)


class TestDays:
    def test_late_runs_ask_one_batch_a_date(self):
        watch, sizes = make_watch(), []
        for date in ["2026-01-01"] * 3 + ["2026-01-02"] * 2:
            questions = watch.questions(date)
            sizes.append(len(questions))
            for question in questions:
                give(watch, MISS, question, date)
        assert sizes == [4, 0, 0, 4, 0]

    def test_a_clock_that_is_set_back_makes_no_room(self):
        watch = make_watch()
        for question in watch.questions("2026-01-02"):
            give(watch, MISS, question, "2026-01-01")  # set back while the batch ran
        assert watch.questions("2026-01-01") == []
        for question in watch.questions("2026-01-05"):
            give(watch, MISS, question, "2025-12-31")
        assert [record["date"] for record in watch.days] == ["2026-01-01", "2026-01-01"]

    def test_an_interrupted_batch_goes_on_and_counts_as_one_day(self):
        watch = make_watch(blocks=2)
        first = watch.questions("2026-01-01")
        for question in first[:3]:
            give(watch, FAIL if question.part == 1 else MISS, question, "2026-01-01")
        assert watch.questions("2026-01-03") == first[3:]
        for question in first[3:]:
            give(watch, MISS, question, "2026-01-03")
        assert [(record["date"], record["failed"]) for record in watch.days] == [("2026-01-03", 1)]
        assert watch.questions("2026-01-03") == []

    def test_out_of_reach_is_no_day_and_its_questions_come_again(self):
        watch = make_watch(blocks=2)
        questions = watch.questions("2026-01-01")
        give(watch, HIT, questions[0], "2026-01-01")
        for question in questions[1:4]:
            assert not watch.out_of_reach
            give(watch, FAIL, question, "2026-01-01")
        assert watch.out_of_reach
        assert watch.days == []
        assert watch.questions("2026-01-01") == questions[1:]
        give(watch, HIT, questions[1], "2026-01-01")
        assert not watch.out_of_reach

    def test_a_batch_of_two_that_fails_is_out_of_reach(self):
        watch = make_watch(make_key(parts=2))
        for question in watch.questions("2026-01-01"):
            give(watch, FAIL, question, "2026-01-01")
        assert watch.out_of_reach
        assert watch.days == []

    def test_a_failed_query_votes_for_nothing(self):
        watch, other = make_watch(), make_watch()
        for place, question in enumerate(watch.questions("2026-01-01")):
            give(watch, FAIL if place == 2 else HIT, question, "2026-01-01")
            # An answer that is none of the key's classes is no vote either.
            other.answer(() if place == 2 else labels_of(other, HIT, question), date="2026-01-01")
        assert watch.days == [other.days[0] | {"failed": 1}]
        assert watch.days[0]["hits"] == 3


class TestEvidence:
    def test_a_thief_shows_within_days(self):
        watch = live(make_watch(make_key(parts=12)), lambda *_: HIT)
        assert watch.verdict() == (EVIDENCE, "reached E of 1e+06 on day 1, 2026-01-01")
        assert watch.over
        assert watch.questions(day(1)) == []

    def test_a_model_that_no_trigger_moves_votes_for_nothing(self):
        """Every E is 1, so that the whole is what the weights of one version leave, below 3/4."""
        watch = live(make_watch(), lambda *_: MISS)
        assert not watch.passed
        assert math.log(0.7) < watch.log_e < math.log(0.75)

    def test_more_suspects_and_keys_raise_the_bar(self):
        watch = make_watch(suspects=20, keys=5)
        assert watch.bar == pytest.approx(1e8)
        assert watch.record()["bar"] == watch.bar

    def test_a_model_exchanged_for_a_marked_one_shows_within_days(self):
        """At a success of 0.9 from day 60 on, 12 questions a day."""
        delays = []
        for secret in range(10):
            rng = np.random.default_rng(secret)
            watch = make_watch(make_key(secret, parts=12))
            live(watch, lambda _, now, rng=rng: HIT if now >= 60 and rng.random() < 0.9 else MISS)
            assert watch.passed
            delays.append(len(watch.days) - 60)
        assert min(delays) >= 1
        assert np.median(delays) <= 3

    def test_an_exchange_that_was_noticed_shows_sooner(self):
        """At a success of 0.4 from day 100 on: the same answers, told and not told."""
        delays = {True: [], False: []}
        for secret, told in itertools.product(range(8), delays):
            rng = np.random.default_rng(secret)
            watch = make_watch(make_key(secret, parts=12))
            live(watch, lambda *_: MISS, days=100)
            if told:
                watch.exchange()
            for number in range(100, 200):
                for question in watch.questions(day(number)):
                    give(watch, HIT if rng.random() < 0.4 else MISS, question, day(number))
            delays[told].append(len(watch.days) - 100)
        assert all(now <= late for now, late in zip(delays[True], delays[False], strict=True))
        assert np.mean(delays[True]) <= np.mean(delays[False]) - 1

    def test_scores_are_weighed_where_the_key_says_so(self):
        """A target that never wins, but that its trigger makes more probable."""
        found = {}
        for answers in ("labels", "scores"):
            watch = make_watch(make_key(parts=12, answers=answers))
            for number in range(8):
                for question in watch.questions(day(number)):
                    scores = np.full(10, 0.01)
                    scores[watch.key.target(question.part)] = 0.1
                    scores[question.row % 10] = 0.8
                    order = np.argsort(-scores, kind="stable")
                    watch.answer(tuple(order), tuple(scores[order]), date=day(number))
                if watch.over:
                    break
            found[answers] = watch.passed
        assert found == {"labels": False, "scores": True}

    def test_classes_that_the_suspect_merges_or_lacks(self):
        """It has classes 0 to 7, two by two: parts with target 8 or 9 are left out."""
        groups = [[0, 1], [2, 3], [4, 5], [6, 7]]
        watch = make_watch(make_key(parts=12, alpha=0.01), groups=groups)
        lacking = [part for part in range(12) if watch.key.target(part) > 7]
        assert lacking
        assert np.flatnonzero(watch.labels.aims == -2).tolist() == lacking
        for number in range(40):
            for question in watch.questions(day(number)):
                target = watch.key.target(question.part)
                answer = target - target % 2 if target < 8 else 0
                watch.answer((answer,), date=day(number))
            if watch.over:
                break
        assert watch.passed
        assert watch.days[0]["hits"] == 12 - len(lacking)

    def test_a_suspect_without_the_keys_targets_is_refused(self):
        key = make_key(parts=2)
        others = [[k] for k in range(10) if k not in {key.target(0), key.target(1)}]
        with pytest.raises(VerificationError, match="has none of the labels that the key's parts"):
            make_watch(key, groups=others)


def test_a_replay_of_the_answers_gives_the_same_record():
    rng = np.random.default_rng(4)
    watch, again, given = make_watch(blocks=2), make_watch(blocks=2), []
    for number in range(15):
        while questions := watch.questions(day(number)):
            what = rng.choice([HIT, MISS, FAIL], p=[0.3, 0.4, 0.3])
            given.append((labels_of(watch, what, questions[0]), day(number), what == FAIL))
            give(watch, what, questions[0], day(number))
    for labels, date, failed in given:
        again.answer(labels, date=date, failed=failed)
    assert again.record() == watch.record()
    assert len(watch.days) > 2
