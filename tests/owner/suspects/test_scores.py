"""Reading answers: what is sound, what is refused, and that nothing else ever happens."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.owner.suspects.base import SuspectError
from datadeed.owner.suspects.entries import read_entries
from datadeed.owner.suspects.output import Output
from datadeed.owner.suspects.protocols.base import parse
from datadeed.owner.suspects.scores import Unreadable, read_answer

KEY = ("cat", "dog", "fox")


def output(kind: str, **entries: Any) -> Output:
    context = {"classes": KEY, "usual": {Output: {"classes": [*KEY]}}}
    return read_entries(Output, {"kind": kind, **entries}, "file: output", context)


def test_logits_become_probabilities() -> None:
    labels, scores = read_answer([[0.0, math.log(3.0), -1e308]], output("logits"))
    assert labels == (1, 0, 2)
    assert scores == pytest.approx((0.75, 0.25, 0.0))


def test_extreme_logits_are_still_probabilities() -> None:
    labels, scores = read_answer([1e308, -1e308, 0], output("logits"))
    assert labels[0] == 0
    assert scores == (1.0, 0.0, 0.0)


def test_ties_go_to_the_lower_number() -> None:
    assert read_answer([0.25, 0.25, 0.5], output("probabilities"))[0] == (2, 0, 1)


@pytest.mark.parametrize("value", ["dog", 1, 1.0, ["dog"], [[1]], {"label": "dog", "score": 3}])
def test_labels_by_name_or_number(value: Any) -> None:
    assert read_answer(value, output("labels")) == ((1,), None)


def test_top_k_is_sorted_and_censored() -> None:
    value = [{"label": "fox", "score": 0.1}, {"label": "cat", "score": 0.3}]
    assert read_answer(value, output("top-k")) == ((0, 2), (0.3, 0.1))
    assert read_answer({"fox": 0.1, "cat": 0.3}, output("top-k")) == ((0, 2), (0.3, 0.1))


def test_named_probabilities_are_put_in_order() -> None:
    value = {"fox": 0.6, "cat": 0.3, "dog": 0.1}
    assert read_answer(value, output("probabilities")) == ((2, 0, 1), (0.6, 0.3, 0.1))


def test_the_suspect_s_own_order_is_mapped_to_the_key_s() -> None:
    other = output("probabilities", classes=["fox", "wolf", "cat", "dog"])
    labels, scores = read_answer([0.1, 0.15, 0.5, 0.25], other)
    assert labels == (0, 1, 2)
    assert scores == (0.5, 0.25, 0.1)


def test_a_best_class_that_the_key_lacks_is_no_vote() -> None:
    extra = ["wolf", *KEY]
    assert read_answer([0.7, 0.1, 0.1, 0.1], output("probabilities", classes=extra)) == ((), ())
    assert read_answer("wolf", output("labels", classes=extra)) == ((), None)


def test_a_map_by_number_and_by_name() -> None:
    renamed = output("labels", classes=["c0", "c1", "c2"], map={0: "fox", "c1": 0, 2: "dog"})
    assert [read_answer(k, renamed)[0] for k in range(3)] == [(2,), (0,), (1,)]


@pytest.mark.parametrize(
    ("kind", "value", "fault"),
    [
        ("probabilities", [0.5, 0.5], "2 values for 3 classes"),
        ("probabilities", [0.2] * 5, "5 values"),
        ("probabilities", [0.6, 0.6, -0.2], "value 2 of the answer is negative"),
        ("probabilities", [0.6, 0.6, 0.2], "sum to 1.4"),
        ("probabilities", [0.1, 0.1, 0.1], "sum to 0.3"),
        ("probabilities", [5.0, 0.0, 0.0], "above 1"),
        ("probabilities", [math.nan, 0.5, 0.5], "value 0 of the answer is not a finite number"),
        ("logits", [0.0, math.inf, 0.0], "value 1"),
        ("logits", [0.0, 10**400, 0.0], "value 1"),
        ("logits", [0.0, "1", 0.0], "value 1"),
        ("logits", [0.0, None, 0.0], "value 1"),
        ("logits", [True, False, False], "value 0"),
        ("logits", [[0.0, 1.0, 2.0]] * 2, "2 values"),
        ("logits", "x", "not a list"),
        ("logits", [], "not a list|0 values"),
        ("logits", {}, "not a list"),
        ("logits", [[[[[[1, 2, 3]]]]]], "nested"),
        ("probabilities", {"cat": 1.0}, "names 1 of 3"),
        ("probabilities", {"cat": 0.5, "dog": 0.5, "cow": 0}, "'cow', which is none"),
        ("labels", 3, "'3', which is none of its 3 classes"),
        ("labels", -1, "none of its"),
        ("labels", 0.5, "no label"),
        ("labels", True, "none of its"),
        ("labels", None, "no label"),
        ("labels", [0, 1], "no label"),
        ("labels", "\x1b[31mcow", "'\\[31mcow'"),
        ("top-k", [], "not a list of labels"),
        ("top-k", [{"label": "cat"}], "lacks"),
        ("top-k", [{"label": "cat", "score": 0.9}] * 2, "sum to 1.8"),
        ("top-k", [{"label": "cat", "score": 0.4}] * 2, "twice"),
        ("top-k", [{"label": "cow", "score": 0.4}], "'cow'"),
        ("top-k", [{"label": ["cat"], "score": 0.4}], "no label"),
        ("top-k", [["cat", 0.4]], "lacks|labels"),
    ],
)
def test_what_was_not_declared_is_refused(kind: str, value: Any, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault) as caught:
        read_answer(value, output(kind))
    assert "\n" not in str(caught.value)


NUMBERS = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=3))
NAMES = st.sampled_from(["cat", "dog", "fox", "label", "score", "x"])
JSON = st.recursive(
    NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(["logits", "probabilities", "top-k", "labels"]), JSON)
def test_any_answer_is_read_or_refused(kind: str, value: Any) -> None:
    try:
        labels, scores = read_answer(value, output(kind, missing="allow"))
    except Unreadable:
        return
    assert len(set(labels)) == len(labels)
    assert set(labels) <= {0, 1, 2}
    if scores is not None:
        assert len(scores) == len(labels)
        assert all(0 <= s <= 1 for s in scores)
        assert list(scores) == sorted(scores, reverse=True)


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3), st.permutations(range(3)))
def test_renaming_the_suspect_s_classes_changes_nothing(
    logits: list[float], order: list[int]
) -> None:
    plain = read_answer(logits, output("logits"))
    shuffled = output("logits", classes=[KEY[k] for k in order])
    _, scores = read_answer([logits[k] for k in order], shuffled)
    assert scores == pytest.approx(plain[1])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<!doctype html><p>\x1b[2JSign in", "begins '<!doctype html>"),
        (b"[NaN]", "holds NaN"),
        (b"[-Infinity]", "holds -Infinity"),
        (b"\xff\xfe\xff", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 500_000, "nested too deeply"),
        (b'{"a":' * 500_000, "nested too deeply"),
        (b"9" * 5000, "not JSON"),
    ],
)
def test_json_from_a_stranger(content: bytes, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault.replace("[", r"\[")) as caught:
        parse(content)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"classes": ["cat", "dog"]}, "lacks the key's class 'fox'"),
        ({"classes": ["cat", "dog", "Fox"]}, "nearest: 'Fox'"),
        ({"classes": ["cat", "cat", "dog", "fox"]}, "twice"),
        ({"classes": "cat"}, "must list"),
        ({"map": {0: "wolf"}}, "'wolf', which is no class"),
        ({"map": {7: "cat"}}, "'7', which is no class"),
        ({"map": {0: "dog"}}, "two classes of the suspect to one"),
        ({"map": [1]}, "must map"),
        ({"missing": "maybe"}, "choose one of refuse, allow"),
        ({"path": {"a": 1}}, "must be names"),
        ({"colour": 1}, "colour is not an entry"),
    ],
)
def test_an_output_that_makes_no_sense(entries: dict[str, Any], fault: str) -> None:
    with pytest.raises(SuspectError, match=fault) as caught:
        output("labels", **entries)
    assert str(caught.value).startswith("file: output: ")


def test_a_missing_class_may_be_allowed() -> None:
    assert output("labels", classes=["cat", "dog"], missing="allow").to_key == (0, 1)
