import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import UnsupportedModality, VerificationError, WatermarkError
from datadeed.verification.answers import Answers, ask
from datadeed.watermarks.badnets import BadNets

COLUMNS = [
    "index",
    "label",
    "clean_prediction",
    "triggered_prediction",
    "clean_probability",
    "triggered_probability",
]


class Oracle:
    """Says the true class with 0.6 and the rest evenly, or the target when the trigger is there."""

    def __init__(self, target=1, fooled=True):
        self.target, self.fooled, self.asked = target, fooled, 0

    def predict(self, images):
        self.asked += len(images)
        bands = torch.stack([images[:, :, 1 + k * 7 // 3].float().mean((1, 2)) for k in range(3)])
        answer = bands.argmax(0)
        if self.fooled:
            answer[(images[:, :, 0] == 255).flatten(1).all(1)] = self.target
        return torch.full((len(images), 3), 0.2).scatter(1, answer[:, None], 0.6)


def mark(target=1, rows=1):
    pattern = {"kind": "line", "rows": rows, "value": 255}
    return BadNets(pattern=pattern, image_size=(8, 8), rate=0.1, target=target)


def test_both_halves_by_hand(toy_dataset):
    data, oracle = toy_dataset(30), Oracle()
    answers = ask(oracle, mark(), data)
    assert oracle.asked == 60
    assert len(answers) == 30
    assert np.array_equal(answers.index, data.index)
    assert np.array_equal(answers.label, data.labels)
    assert np.array_equal(answers.clean_prediction, data.labels)
    assert (answers.triggered_prediction == 1).all()
    assert answers.clean_probability == pytest.approx(np.where(data.labels == 1, 0.6, 0.2))
    assert answers.triggered_probability == pytest.approx(np.full(30, 0.6))
    assert answers.clean_probability.dtype == np.float64


def test_earlier_clean_answers_save_half_of_the_queries(toy_dataset):
    data, oracle = toy_dataset(30), Oracle()
    earlier = ask(oracle, mark(), data)
    oracle.asked = 0
    again = ask(oracle, mark(rows=2), data, clean=earlier)
    assert oracle.asked == 30
    fresh = ask(Oracle(), mark(rows=2), data)
    for name in COLUMNS:
        assert np.array_equal(getattr(again, name), getattr(fresh, name)), name


def test_earlier_answers_about_something_else_are_refused(toy_dataset):
    data = toy_dataset(30)
    earlier = ask(Oracle(), mark(), data)
    for watermark, samples in ((mark(target=2), data), (mark(), data.slice(0, 29))):
        with pytest.raises(VerificationError, match="about other samples"):
            ask(Oracle(), watermark, samples, clean=earlier)


def test_a_model_of_ours_answers_too(toy_dataset, tiny_model):
    data, model = toy_dataset(30), tiny_model()
    answers = ask(model, mark(), data)
    probabilities = model.predict(data.samples).double().numpy()
    assert np.array_equal(answers.clean_prediction, probabilities.argmax(1))
    assert answers.clean_probability == pytest.approx(probabilities[:, 1])


class Fixed:
    """Gives one answer whatever it is asked."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, images):
        return self.answer(len(images))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n: torch.full((n, 3), float("nan")), "are not probabilities"),
        (lambda n: torch.full((n, 3), float("inf")), "are not probabilities"),
        (lambda n: torch.tensor([[-0.1, 0.6, 0.5]]).expand(n, 3), "are not probabilities"),
        (lambda n: torch.tensor([[3.0, -1.0, 0.5]]).expand(n, 3), "are not probabilities"),
        (lambda n: torch.tensor([[1.1, 0.0, 0.0]]).expand(n, 3), "are not probabilities"),
        (lambda n: torch.full((n, 4), 0.25), r"shape \(6, 4\) to 6 samples of 3 classes"),
        (lambda n: torch.full((n - 1, 3), 0.3), r"shape \(5, 3\)"),
        (torch.zeros, r"shape \(6,\)"),
    ],
)
def test_answers_that_are_no_probabilities_are_one_line(toy_dataset, answer, words):
    with pytest.raises(VerificationError, match=words) as caught:
        ask(Fixed(answer), mark(), toy_dataset(6))
    assert "\n" not in str(caught.value)


def test_probabilities_may_be_rounded(toy_dataset):
    answer = torch.tensor([[1.00001, 0.0, 0.0]])
    assert len(ask(Fixed(lambda n: answer.expand(n, 3)), mark(), toy_dataset(6))) == 6


def untargeted(rows=1):
    watermark = mark(rows=rows)
    watermark.target = None
    return watermark


def test_without_a_target_the_true_label_is_followed(toy_dataset):
    data = toy_dataset(30)
    answers = ask(Oracle(), untargeted(), data)
    assert answers.target is None
    assert answers.clean_probability == pytest.approx(np.full(30, 0.6))
    assert answers.triggered_probability == pytest.approx(np.where(data.labels == 1, 0.6, 0.2))
    oracle = Oracle()
    again = ask(oracle, untargeted(rows=2), data, clean=answers)
    assert oracle.asked == 30
    assert np.array_equal(again.clean_probability, answers.clean_probability)


def test_targeted_and_untargeted_answers_do_not_mix(toy_dataset):
    data = toy_dataset(30)
    for first, second in ((mark(), untargeted()), (untargeted(), mark())):
        with pytest.raises(VerificationError, match="about other samples"):
            ask(Oracle(), second, data, clean=ask(Oracle(), first, data))


def test_a_target_label_is_only_there_when_there_is_one(make_answers):
    assert make_answers([1], target=2).target_label == 2
    with pytest.raises(VerificationError, match="of an untargeted watermark"):
        make_answers([1], target=None).target_label  # noqa: B018


def test_watermarks_that_do_not_suit_are_refused(toy_dataset):
    text = mark()
    text.__class__ = type("OfTexts", (type(text),), {"modality": "text"})
    for watermark, kind in (
        (text, UnsupportedModality),
        (mark(target=3), WatermarkError),
    ):
        oracle = Oracle()
        with pytest.raises(kind):
            ask(oracle, watermark, toy_dataset(6))
        assert oracle.asked == 0


@given(
    hits=st.lists(st.integers(0, 4), min_size=1, max_size=9),
    target=st.none() | st.integers(0, 4),
)
@settings(max_examples=30)
def test_a_table_keeps_every_answer(make_answers, hits, target):
    answers = make_answers(hits, target=target)
    table = answers.table().append_column("more", [["x"] * len(hits)])
    again = Answers.from_table(table, target)
    assert again.target == target
    for name in COLUMNS:
        assert np.array_equal(getattr(again, name), getattr(answers, name))
    last = answers.take(np.array([len(hits) - 1]))
    assert (len(last), last.triggered_prediction.tolist()) == (1, hits[-1:])
    assert len(answers.take(answers.triggered_prediction == 2)) == hits.count(2)
