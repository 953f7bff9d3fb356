"""The second proof: exact by enumeration of every key, and its verdicts on every kind of model."""

import hashlib
import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.verification.blocks import Groups
from datadeed.verification.centred import looks, shares
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED

FAIL = "fail"
MERGED = [[n, n + 1] for n in range(0, 10, 2)]
Respond = Callable[[Question], Any]


def make_key(
    secret: int = 1, classes: int = 10, pool: int = 1000, kind: type[Key2] = Key2, **values: Any
) -> Key2:
    values.setdefault("targets", tuple(range(classes)))
    design = Design2(classes=tuple(map(str, range(classes))), channels=1, **values)
    return kind(
        secret.to_bytes(32, "big"), bytes(32), design, Extent(10_000, "00" * 32), Extent(pool, "00")
    )


def make_proof(key: Key2 | None = None, clean: int = 40, **values: Any) -> Proof2:
    key = key or make_key()
    proof = Proof2(key, np.arange(key.pool.rows) % len(key.design.classes), **values)
    proof.clean = (clean, clean, clean)
    return proof


def ask(proof: Proof2, respond: Respond) -> list[Question]:
    """Run a proof; ``respond`` gives a label, (labels, scores), [] for none, or "fail"."""
    asked: list[Question] = []
    while step := proof.step():
        asked.append(step[0])
        answer = respond(step[0])
        if answer == FAIL:
            proof.answer([], failed=True)
        elif isinstance(answer, tuple):
            proof.answer(*answer)
        else:
            proof.answer(answer if isinstance(answer, list) else [answer])
    return asked


def of_targets(targets: tuple[int, ...], **values: Any) -> Key2:
    """A key whose targets are these, and all else the same whatever they are."""
    return make_key(kind=type("Fixed", (Key2,), {"target": lambda _, n: targets[n]}), **values)


def counts(proof: Proof2, part: int, row: int, groups: Groups | None = None) -> bool:
    """Whether the suspect has a part's target, and under another label than the row's class."""
    groups = groups or [[n] for n in range(len(proof.design.classes))]
    (aim, true) = (
        next((n for n, group in enumerate(groups) if label in group), None)
        for label in (proof.key.target(part), row % len(proof.design.classes))
    )
    return aim is not None and aim != true


class Wild:
    """Answers by a hash of all that it was ever asked: adaptive, stateful, sometimes silent."""

    def __init__(self, seed: int, classes: Groups, *, scores: bool):
        self.state, self.classes, self.scores = b"%d" % seed, classes, scores

    def __call__(self, question: Question) -> Any:
        text = f"{question.layer != 'block'}{question.part}{question.row}".encode()
        self.state = hashlib.sha256(self.state + text).digest()
        number = int.from_bytes(self.state[:4], "big")
        place = number % (len(self.classes) + 1)
        if place == len(self.classes):
            return FAIL
        if not self.scores:
            return self.classes[place][0]
        rng = np.random.default_rng(number)
        labels = [group[0] for group in self.classes]
        first = labels.pop(place)
        return [first, *labels], np.sort(rng.dirichlet(np.ones(len(self.classes))))[::-1].tolist()


GROUPS: dict[str, Groups] = {
    "every class": [[0], [1], [2]],
    "two merged": [[0, 1], [2]],
    "one lacking": [[0], [2]],
}


class TestBound:
    @settings(max_examples=4, deadline=None)
    @given(st.integers(0, 10**6), st.sampled_from(sorted(GROUPS)), st.booleans())
    def test_the_mean_of_e_over_all_keys_is_one(self, seed: int, name: str, scores: bool) -> None:
        """27 assignments of 3 targets to 3 parts; given which parts are kept where one lacks."""
        found = defaultdict(list)
        sequences = set()
        for targets in itertools.product(range(3), repeat=3):
            key = of_targets(
                targets,
                classes=3,
                pool=6,
                parts=3,
                alpha=1e-300,
                least_effect=1e-300,
                answers="scores" if scores else "labels",
            )
            proof = make_proof(key, groups=GROUPS[name])
            proof.effect = Unbounded()  # type: ignore[assignment]
            asked = ask(proof, Wild(seed, GROUPS[name], scores=scores))
            sequences.add(tuple(asked))
            assert proof.blocks.count == len(proof.rows) == 3
            found[tuple(proof.labels.kept)].append(math.exp(proof.log_e))
        assert len(sequences) == 1  # what is asked never depends on targets
        found.pop((), None)
        for values in found.values():
            assert np.mean(values) == pytest.approx(1, abs=1e-9)

    @pytest.mark.parametrize("seed", range(4))
    def test_stopping_cuts_questions_off_and_lowers_the_mean(self, seed: int) -> None:
        whole: list[Question] = []
        e_values, stopped = [], 0
        for stops in (False, True):
            for targets in itertools.product((0, 1), repeat=4):
                key = of_targets(targets, classes=2, pool=40, parts=4, budget=60)
                proof = make_proof(key)
                if stops:
                    proof.bar = 0.8
                else:
                    proof.effect = Unbounded()  # type: ignore[assignment]
                asked = ask(proof, Wild(seed, [[0], [1]], scores=False))
                whole = whole or asked
                assert asked == whole[: len(asked)]
                stopped += len(asked) < len(whole)
                e_values += [math.exp(proof.log_e)] if stops else []
        assert np.mean(e_values) <= 1 + 1e-9
        assert stopped

    def test_what_is_asked_is_the_same_under_any_map_of_classes(self) -> None:
        """Not even which parts a suspect lacks shows in the questions."""
        sequences = {
            tuple(ask(make_proof(groups=groups), lambda _: 0))
            for groups in (None, MERGED, [[n] for n in range(5)])
        }
        longest = max(sequences, key=len)
        assert all(sequence == longest[: len(sequence)] for sequence in sequences)

    def test_the_level_holds_for_a_suspect_with_favourites(self) -> None:
        """400 real keys of six parts at level .2: the rate of claims stays at or below it."""
        claims = 0
        for secret in range(400):
            key = make_key(secret, classes=2, pool=4, parts=6, alpha=0.2)
            proof = make_proof(key)
            ask(proof, lambda question: question.part % 2)
            claims += proof.passed
        assert 0 < claims / 400 <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 400)


class Unbounded:
    """In place of the effect: it is never excluded."""

    low, high = -1.0, 1.0

    def add(self, hit: bool | None, decoy: bool | None) -> None:
        """Nothing."""


class TestVerdicts:
    def test_a_perfect_thief_is_claimed_after_twelve(self) -> None:
        proof = make_proof()
        asked = ask(proof, lambda q: proof.key.target(q.part))
        assert proof.verdict()[0] == CLAIM
        assert len(asked) == 12
        assert {q.layer for q in asked} == {"block"}
        assert len({q.row for q in asked}) == 1
        assert [q.part for q in asked] == list(range(12))

    @pytest.mark.parametrize("answer", [0, 7])
    def test_a_constant_suspect_is_not_supported_after_56(self, answer: int) -> None:
        proof = make_proof()
        proof.clean = (4, 40, 40)
        asked = ask(proof, lambda _: answer)
        assert proof.verdict()[0] == NOT_SUPPORTED
        assert "success of 20% above decoys is excluded" in proof.verdict()[1]
        assert len(asked) == 56
        assert proof.log_e == pytest.approx(math.log(0.5))  # one look of half the shares, E = 1
        pairs = [q for q in asked if q.layer == "pair" and counts(proof, q.part, q.row)]
        hits = sum(proof.key.target(q.part) == answer for q in pairs)
        assert proof.effect.record() | {"low": 0, "high": 0} == {
            "pairs": 19,  # of 22 that were asked
            "hits": hits,
            "decoy_hits": hits,
            "failed": 0,
            "low": 0,
            "high": 0,
            "level": 0.95,
            "population": sum(counts(proof, *pair) for pair in every_pair(proof)),
        }

    def test_an_honest_model_that_no_patch_moves_is_not_supported_after_56(self) -> None:
        proof = make_proof()
        asked = ask(proof, lambda q: q.row % 10)
        assert proof.verdict()[0] == NOT_SUPPORTED
        assert len(asked) == 56
        assert not proof.findings()

    def test_ten_classes_merged_to_five_are_claimed(self) -> None:
        """INCONCLUSIVE after 400 questions in the first generation."""
        proof = make_proof(groups=MERGED)
        asked = ask(proof, lambda q: proof.key.target(q.part) // 2 * 2)
        assert proof.verdict()[0] == CLAIM
        assert len(asked) <= 36

    def test_any_member_of_a_group_is_the_same_answer(self) -> None:
        one, other = make_proof(groups=MERGED), make_proof(groups=MERGED)
        ask(one, lambda q: one.key.target(q.part) // 2 * 2)
        ask(other, lambda q: other.key.target(q.part) // 2 * 2 + 1)
        assert one.record() == other.record()

    def test_a_suspect_with_five_of_ten_classes(self) -> None:
        """Parts whose target it lacks are asked and say nothing; 24 parts leave enough."""
        key = make_key(parts=24)
        proof = make_proof(key, groups=[[n] for n in range(5)])
        kept = [part for part in range(24) if key.target(part) < 5]
        assert proof.labels.kept.tolist() == kept
        asked = ask(proof, lambda q: min(key.target(q.part), 4))
        assert proof.verdict()[0] == CLAIM
        parts = proof.record()["key_layer"]["parts"]
        assert [part["part"] for part in parts if part["kept"]] == kept
        assert sum(part["hits"] for part in parts if not part["kept"]) == 0
        assert len(asked) <= 96

    def test_scores_of_a_suspect_that_gives_labels_alone(self) -> None:
        """Three of four transforms say nothing, a factor of 4: more questions, but no fault."""
        targets, first = (*range(10), 3, 3), {}
        for answers in ("labels", "scores"):
            proof = make_proof(of_targets(targets, answers=answers))
            for question in proof.step():
                proof.answer([targets[question.part]])
            first[answers] = math.exp(proof.blocks.looked()[0][1])
        assert first["scores"] == pytest.approx((first["labels"] + 3) / 4)
        proof = make_proof(make_key(answers="scores"))
        ask(proof, lambda q: proof.key.target(q.part))
        assert proof.verdict()[0] == CLAIM

    def test_scores_find_what_labels_cannot(self) -> None:
        """The mark never wins, but lifts its class: labels are all 0, and the claim is made."""

        def respond(q: Question) -> Any:
            target = proof.key.target(q.part)
            chances = np.full(10, 0.02)
            chances[0] += 0.6
            chances[target] += 0.2 if q.layer != "decoy" else 0
            chances /= chances.sum()
            order = np.argsort(-chances, kind="stable").tolist()
            return order, chances[order].tolist()

        proof = make_proof(make_key(answers="scores", least_effect=0.01))
        ask(proof, respond)
        assert proof.verdict()[0] == CLAIM
        silent = make_proof(make_key(answers="labels", least_effect=0.01))
        ask(silent, lambda q: respond(q)[0][:1])
        assert silent.verdict()[0] != CLAIM


def every_pair(proof: Proof2) -> list[tuple[int, int]]:
    """Those that are drawn from: of the images that no block is about."""
    rest = set(range(proof.key.pool.rows)) - set(proof.rows.tolist())
    return [(part, row) for part in range(proof.design.parts) for row in rest]


class TestPairsThatCount:
    @pytest.mark.parametrize("groups", [None, MERGED, [[n] for n in range(5)], [[0, 9], [4], [7]]])
    def test_those_of_images_of_other_classes(self, groups: Groups | None) -> None:
        """Of other groups, that is; a class that the suspect lacks is another one."""
        proof = make_proof(make_key(parts=24, least_effect=1e-9), groups=groups)
        asked = [q for q in ask(proof, lambda _: 0) if q.layer == "pair"]
        assert len(asked) == 50
        assert proof.effect.n == sum(counts(proof, q.part, q.row, groups) for q in asked)
        assert 0 < proof.effect.n < 50
        everything = [counts(proof, *pair, groups) for pair in every_pair(proof)]
        assert proof.effect.population == sum(everything)

    def test_on_those_a_mark_that_always_works_has_an_effect_of_one(self) -> None:
        """Half of all pairs at two classes could show nothing."""
        proof = make_proof(make_key(classes=2, alpha=1e-300))
        ask(proof, lambda q: q.row % 2 if q.layer == "decoy" else proof.key.target(q.part))
        assert (proof.effect.hits, proof.effect.decoy_hits) == (proof.effect.n, 0)
        assert 30 < proof.effect.n < 60
        assert proof.effect.low > 0.5

    def test_a_failure_on_another_pair_is_no_failure_of_the_effect(self) -> None:
        proof = make_proof(make_key(classes=2, least_effect=1e-9))
        ask(proof, lambda q: FAIL if q.row % 2 == proof.key.target(q.part) else q.row % 2)
        assert proof.failed["pair"] > 0
        assert proof.effect.failed == 0


class TestRefusalsAndFilters:
    def test_a_suspect_that_refuses_all_triggers_is_a_finding(self) -> None:
        proof = make_proof()
        ask(proof, lambda _: FAIL)
        assert proof.verdict() == (INCONCLUSIVE, "the suspect refuses or filters marked images")
        assert "refuses marked images" in proof.findings()[0]
        assert proof.log_e <= 0

    @pytest.mark.parametrize("every", [2, 3, 5, 8])
    def test_a_suspect_that_refuses_some_is_never_not_supported(self, every: int) -> None:
        proof, count = make_proof(), itertools.count(1)
        ask(proof, lambda q: FAIL if next(count) % every == 0 else 0)
        assert proof.verdict()[0] == INCONCLUSIVE

    def test_a_thief_that_refuses_what_would_be_a_hit_is_never_not_supported(self) -> None:
        for seed in range(5):
            rng, proof = np.random.default_rng(seed), make_proof()
            ask(
                proof,
                lambda q, rng=rng: FAIL if q.layer != "decoy" and rng.random() < 0.3 else 0,  # type: ignore[misc]
            )
            assert proof.verdict()[0] == INCONCLUSIVE

    def test_a_filter_that_answers_at_random_is_never_not_supported(self) -> None:
        """Right on 90 % of 40 clean images, and on a tenth of those with a patch."""
        for seed in range(8):
            rng = np.random.default_rng(seed)
            proof = make_proof(make_key(seed))
            proof.clean = (36, 40, 40)
            ask(proof, lambda _, rng=rng: int(rng.integers(10)))  # type: ignore[misc]
            assert proof.verdict()[0] == INCONCLUSIVE
            assert "filters marked images, or breaks on them" in " ".join(proof.findings())

    def test_a_filter_that_answers_with_one_class_is_a_finding(self) -> None:
        proof = make_proof()
        proof.clean = (36, 40, 40)
        ask(proof, lambda _: 3)
        assert proof.excluded
        assert proof.verdict()[0] == INCONCLUSIVE

    @pytest.mark.parametrize(
        ("learnt", "word"),
        [(0, NOT_SUPPORTED), (2, NOT_SUPPORTED), (3, INCONCLUSIVE), (5, INCONCLUSIVE), (9, CLAIM)],
    )
    def test_scores_that_favour_the_key_are_signs(self, learnt: int, word: str) -> None:
        """First labels never move, so the effect is excluded; E says what the scores show."""
        proof = make_proof(make_key(answers="scores"))
        proof.clean = (4, 40, 40)

        def respond(question: Question) -> Any:
            aim = proof.key.target(question.part)
            others = [n for n in range(1, 10) if n != aim]
            marked = question.layer != "decoy" and question.part < learnt and aim
            low = [0.001] * len(others) if marked else [0.01] * len(others)
            if aim == 0:
                return [0, *others], [1 - sum(low), *low]
            of_aim = 0.04 if marked else 0.01
            return [0, aim, *others], [1 - sum(low) - of_aim, of_aim, *low]

        ask(proof, respond)
        assert (proof.verdict()[0], proof.log_e < math.log(20)) == (word, word == NOT_SUPPORTED)
        if word == INCONCLUSIVE:
            assert proof.excluded
            assert "is excluded, yet E shows signs" in proof.verdict()[1]
            assert len(proof.curve) > 400 - proof.design.parts

    def test_a_suspect_that_says_none_of_these_classes(self) -> None:
        proof = make_proof()
        ask(proof, lambda _: [])
        assert proof.verdict()[0] == INCONCLUSIVE
        assert proof.failed.total() == 0


class TestSteps:
    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 10**6), st.integers(24, 200))
    def test_a_replay_gives_the_same_questions_and_record(self, seed: int, budget: int) -> None:
        classes = [[n] for n in range(10)]
        key = make_key(seed % 256, budget=budget)
        first, given_ = make_proof(key), []
        wild = Wild(seed, classes, scores=False)

        def keep(question: Question) -> Any:
            given_.append(wild(question))
            return given_[-1]

        asked = ask(first, keep)
        again, answers = make_proof(key), iter(given_)
        assert ask(again, lambda _: next(answers)) == asked
        assert again.record() == first.record()
        assert len(asked) <= budget

    def test_a_step_is_the_same_until_it_is_answered(self) -> None:
        proof = make_proof()
        step = proof.step()
        assert proof.step() == step
        proof.answer([0])
        assert proof.step() == step[1:]

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 3), st.integers(60, 300))
    def test_no_question_twice_and_pairs_share_an_image(
        self, seed: int, parts: int, budget: int
    ) -> None:
        key = make_key(seed % 256, parts=4 * parts, budget=budget, alpha=1e-300, pool=200)
        proof = make_proof(key)
        asked = ask(proof, Wild(seed, [[n] for n in range(10)], scores=False))
        assert len(set(asked)) == len(asked) == len(proof.curve)
        pairs = [q for q in asked if q.layer != "block"]
        for one, other in zip(pairs[::2], pairs[1::2], strict=True):
            assert {one.layer, other.layer} == {"pair", "decoy"}
            assert (one.part, one.row) == (other.part, other.row)
        blocks = {q.row for q in asked if q.layer == "block"}
        assert not blocks & {q.row for q in pairs}
        assert len(pairs) <= 2 * 50

    def test_either_of_a_pair_comes_first_as_the_key_says(self) -> None:
        proof = make_proof(make_key(least_effect=1e-9))
        asked = [q.layer for q in ask(proof, lambda _: 0) if q.layer != "block"]
        assert 8 < sum(layer == "pair" for layer in asked[::2]) < 32

    @pytest.mark.parametrize(("parts", "budget"), [(12, 400), (24, 400), (40, 400), (12, 100)])
    def test_every_look_is_within_the_budget(self, parts: int, budget: int) -> None:
        """Evidence at a look that is never reached would be lost."""
        key = make_key(parts=parts, budget=budget, alpha=1e-300)
        proof = make_proof(key)
        proof.effect = Unbounded()  # type: ignore[assignment]
        ask(proof, Wild(1, [[n] for n in range(10)], scores=False))
        at = looks(len(proof.rows))
        assert [n for n, _ in proof.blocks.looked()] == at
        weighted = [
            math.log(share) + log_e
            for share, (_, log_e) in zip(shares(len(at)), proof.blocks.looked(), strict=True)
        ]
        assert proof.log_e == pytest.approx(np.logaddexp.reduce(weighted))

    def test_a_question_in_vain_is_charged(self) -> None:
        proof = make_proof(make_key(budget=36))
        proof.asked_in_vain = 25
        assert proof.step() == []  # 11 are left, and a block takes 12
        proof.asked_in_vain = 24
        assert len(proof.step()) == 12
        assert "not finished" in proof.verdict()[1]
        assert ask(proof, lambda _: 0)
        assert proof.step() == []
        assert "the budget is spent" in proof.verdict()[1]

    def test_a_step_that_the_budget_no_longer_covers_is_given_up(self) -> None:
        proof = make_proof(make_key(budget=24))
        for _ in range(3):
            proof.answer([0])
        proof.asked_in_vain = 13
        assert proof.step() == []
        with pytest.raises(VerificationError, match="nothing is asked"):
            proof.answer([0])

    def test_bars_rise_with_suspects_and_keys(self) -> None:
        assert make_proof(suspects=3, keys=4).bar == pytest.approx(12e6)
        proof = make_proof(suspects=100)
        asked = ask(proof, lambda q: proof.key.target(q.part))
        assert proof.verdict()[0] == CLAIM
        assert len(asked) <= 24


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Proof2(make_key(), np.zeros(999, dtype=int)), "pool of 1000 images"),
        (lambda: make_proof(make_key(budget=11)), "leave no block"),
        (lambda: make_proof(make_key(pool=1)), "leave no block"),
        (lambda: make_proof(suspects=0), "count all"),
        (lambda: make_proof(suspects=-1, keys=-1), "count all"),
        (lambda: make_proof(groups=[[3]]), "has 1 of the key's 10 classes"),
        (lambda: make_proof(groups=[list(range(10))]), "under 1 of its labels"),
        (lambda: make_proof(groups=[[0, 1], [1, 2]]), "two of the suspect's labels"),
        (lambda: make_proof(groups=[[0], [1]]).answer([2]), "label 2 is none"),
    ],
)
def test_bad_input_is_refused_in_a_line(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        call()
