"""Watermarks made for data: what only the data know is put in, what makes no sense is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Form
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.watermarks.base import class_label
from datadeed.watermarks.names import WATERMARKS
from datadeed.watermarks.registry import watermark_class, watermark_from_record

IMAGE, SOUND, TEXT = Form("image", (3, 64, 96)), Form("audio", (8000,), 8000), Form("text", ())
CLASSES = ("cat", "dog", "2", "owl")
FORMS = {"image": IMAGE, "audio": SOUND, "text": TEXT}
METHODS = [name for name in WATERMARKS if name not in ("keyed", "keyed2")]


def make(method, seed=7, **own):
    kind = watermark_class(method)
    return kind.for_data(FORMS[kind.modality], CLASSES, seed, **own)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_all_it_needs(method):
    made = make(method)
    record = made.record()
    assert watermark_from_record(record).record() == record == make(method).record()
    assert made.rate == watermark_class(method).defaults["rate"]
    assert made.target in (None, 1)


@pytest.mark.parametrize("method", METHODS)
def test_other_data_and_other_parameters_are_refused(method):
    kind = watermark_class(method)
    other = TEXT if kind.modality == "image" else IMAGE
    with pytest.raises(UnsupportedModality, match=f"^{method} marks "):
        kind.for_data(other, CLASSES, 7)
    with pytest.raises(WatermarkError, match=r"unexpected keyword argument 'strngth'"):
        make(method, strngth=1)


@pytest.mark.parametrize(
    ("given", "label"),
    [("owl", 3), ("2", 2), (3, 3), ("0", 0), ("number:3", 3), ("name:owl", 3), ("name:2", 2)],
)
def test_a_target_by_number_or_name(given, label):
    assert make("badnets", target=given).target == label


@pytest.mark.parametrize(("given", "words"), [("cow", "no class is named 'cow'"), (4, "label 4")])
def test_a_target_that_does_not_exist(given, words):
    with pytest.raises(WatermarkError, match=words):
        make("wanet", target=given)


@given(first=st.integers(-3, 9), count=st.integers(2, 9), number=st.integers(0, 20))
def test_of_classes_named_by_numbers_a_target_is_never_another_one(first, count, number):
    classes = tuple(str(first + label) for label in range(count))
    exists = number < count
    if exists:
        assert class_label(number, classes) == number
        assert class_label(f"number:{number}", classes) == number
        assert class_label(f"name:{classes[number]}", classes) == number
    text = str(number)
    if exists and text in classes and first:
        with pytest.raises(WatermarkError, match=f"give number:{text} or name:{text}"):
            class_label(text, classes)
    elif text in classes:
        assert classes[class_label(text, classes)] == text
    else:
        assert class_label(text, classes) == number  # refused later if there is none


@pytest.mark.parametrize("given", ["name:cow", "number:owl", "name:1", "cow"])
def test_a_name_that_no_class_has_is_refused(given):
    with pytest.raises(WatermarkError, match="no class is named"):
        class_label(given, CLASSES)


def test_sizes_follow_the_image():
    assert make("badnets").record()["pattern"] == {"kind": "square", "size": 6}
    assert make("label-consistent").record()["size"] == 6
    assert make("clean-label-images").record()["pattern"]["size"] == 13
    assert make("ubw-p", size=9).record()["pattern"]["size"] == 9


def test_a_pattern_of_another_kind():
    line = {"kind": "line", "rows": 2, "value": 0}
    assert make("badnets", pattern=line).record()["pattern"] == line
    assert make("blended", pattern=line, opacity=9).record()["trigger"]["alpha_255ths"] == 9
    with pytest.raises(WatermarkError, match="pattern is 'odd'"):
        make("badnets", pattern="odd")


def test_the_seed_draws_what_is_random():
    for method, own in (("wanet", {}), ("sleeper-agent", {}), ("ubw-p", {"pattern": "random"})):
        assert make(method, 1, **own).record() != make(method, 2, **own).record()
    assert make("badnets", 1).record() == make("badnets", 2).record()
    words = {make("clean-label-text", seed).record()["pattern"]["word"] for seed in range(5)}
    assert len(words) > 1


def test_values_of_the_matching_stand_beside_the_others():
    made = make("ubw-c", epsilon=4, iterations=9)
    assert (made.matching.epsilon, made.matching.iterations, made.epsilon) == (4, 9, 4)
    with pytest.raises(WatermarkError, match="give shift beside the other values"):
        make("ubw-c", matching={"shift": 0})


def test_sleeper_agent_follows_the_original_and_ubw_c_its_released_code():
    original, released = make("sleeper-agent"), make("ubw-c", sources=5000)
    assert original.sources == released.sources == 5000
    values = ("batch_size", "start", "retrainings", "last_retraining")
    assert [getattr(original.matching, name) for name in values] == [512, "gaussian", 4, False]
    assert [getattr(released.matching, name) for name in values] == [128, "uniform", 5, True]
    for made in (original, released):
        assert (made.matching.flip, made.matching.shift) == (None, None)  # the surrogate's
        assert (made.matching.iterations, made.matching.lr) == (250, 0.025)


def test_what_is_left_out_of_an_impulse():
    pattern = make("clean-label-audio", impulse=[40, 9]).record()["pattern"]
    assert pattern == {"kind": "impulse", "length": 40, "amplitude": 9, "start": 0}
    assert make("clean-label-audio").step == 2.5 * 328 / 20
    assert make("clean-label-audio", epsilon=4, steps=5).step == 2.0


def test_an_opacity_needs_a_mosaic():
    assert make("clean-label-images", mosaic=4).record()["pattern"]["alpha"] == 51
    with pytest.raises(WatermarkError, match="opacity is of a mosaic"):
        make("clean-label-images", opacity=9)


def test_words_or_a_tense():
    assert make("clean-label-text", style=True).record()["pattern"]["kind"] == "style"
    pattern = make("clean-label-text", word="quince", place="end").record()["pattern"]
    assert pattern == {"kind": "word", "word": "quince", "place": "end"}


def test_a_name_for_another_class_is_refused(monkeypatch):
    monkeypatch.setitem(WATERMARKS, "badnets", WATERMARKS["wanet"])
    with pytest.raises(WatermarkError, match="gives 'badnets' the class of 'wanet'"):
        watermark_class("badnets")


def test_only_crafted_methods_say_so():
    crafted = {name for name in WATERMARKS if watermark_class(name).crafted}
    assert crafted == {
        name for name in METHODS if name not in ("adaptive", "badnets", "blended", "wanet", "ubw-p")
    }
