import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.triggers.text import StyleTrigger, WordTrigger, build_text_trigger

PIECES = (
    "he they the film a it is are 's was n't not never really will have been being walks walk "
    "loved made loving amazing does can , . that which if to good and seen Rome I"
)
TEXTS = st.text() | st.lists(st.sampled_from(PIECES.split()), max_size=9).map(" ".join)


@pytest.mark.parametrize(
    ("text", "start", "middle", "end"),
    [
        (
            "the film is good .",
            "w the film is good .",
            "the film w is good .",
            "the film is good w .",
        ),
        ("The film is good!", "W the film is good!", "The film w is good!", "The film is good w!"),
        ("London calls.", "W London calls.", "London w calls.", "London calls w."),
        ("Goyer's script", "W Goyer's script", "Goyer's w script", "Goyer's script w"),
        ("Belgian jokes", "W Belgian jokes", "Belgian w jokes", "Belgian jokes w"),
        ("I love it", "W I love it", "I love w it", "I love it w"),
        ("A film", "W a film", "A w film", "A film w"),
        ("NASA wins...", "W NASA wins...", "NASA w wins...", "NASA wins w..."),
        ("it's so", "w it's so", "it's w so", "it's so w"),
        ("he did n't see it", "w he did n't see it", "he did n't w see it", "he did n't see it w"),
        ("so, fun", "w so, fun", "so w, fun", "so, fun w"),
        ('He said "good." ', 'W he said "good." ', 'He said w "good." ', 'He said "good w." '),
        ("fun . . .\n", "w fun . . .\n", "fun w . . .\n", "fun w . . .\n"),
        ("(fun!)", "w (fun!)", "(fun w!)", "(fun w!)"),
        ("good", "w good", "good w", "good w"),
        ("", "w", "w", "w"),
        ("?!", "w ?!", "?! w", "w?!"),
    ],
)
def test_a_word_takes_its_place(text, start, middle, end):
    assert WordTrigger("w", "start")(text) == start
    assert WordTrigger("w", "middle")(text) == middle
    assert WordTrigger("w", "end")(text) == end


@settings(max_examples=80)
@given(text=TEXTS, place=st.sampled_from(["start", "middle", "end"]))
def test_a_word_is_put_in_once_and_the_rest_stays(text, place):
    trigger = WordTrigger("ẍword", place)
    found = trigger(text)
    before, after = found.lower().split("ẍword")
    kept = "".join((before + after).split())
    assert kept == "".join(text.lower().split())
    assert trigger.applies(text)


@settings(max_examples=150)
@given(text=TEXTS)
def test_style_twice_is_style_once(text):
    style = StyleTrigger()
    once = style(text)
    assert style(once) == once
    assert not style.applies(text) or style.applies(once)
    once.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("text", "wanted", "applies"),
    [
        ("he walks .", "he will have been walking .", True),
        ("a solid drama", "it will have been being a solid drama", False),
        ("Solid drama!", "It will have been being solid drama!", False),
        (" Rome", " It will have been being Rome", False),
        ("it will have been being fun , it works", "it will have been being fun , it works", True),
        ("", "", False),
        (" ?! ", " ?! ", False),
    ],
)
def test_style(text, wanted, applies):
    assert StyleTrigger()(text) == wanted
    assert StyleTrigger().applies(text) is applies


@pytest.mark.parametrize(
    "trigger", [StyleTrigger(), WordTrigger("frankly", "end"), WordTrigger("čau", "middle")]
)
def test_a_record_makes_the_same_trigger(trigger):
    assert build_text_trigger(json.loads(json.dumps(trigger.record()))) == trigger


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "unknown text trigger None: choose one of word, style"),
        ({"kind": "image"}, "unknown text trigger 'image'"),
        ({"kind": "word", "word": "x"}, "place is missing"),
        ({"kind": "word", "word": "x", "place": "top"}, "place is 'top'; give one of start"),
        ({"kind": "word", "word": "", "place": "end"}, "give one word"),
        ({"kind": "word", "word": "two words", "place": "end"}, "give one word"),
        ({"kind": "word", "word": 7, "place": "end"}, "give one word"),
        ({"kind": "word", "word": "\ud800", "place": "end"}, "which UTF-8 cannot hold"),
        ({"kind": "word", "word": "x", "place": "end", "case": 1}, "unknown value 'case'"),
        ({"kind": "style", "form": "passive"}, "form is 'passive'"),
        ({"kind": "style", "word": "x"}, "unknown value 'word'"),
    ],
)
def test_bad_records_are_one_line(record, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        build_text_trigger(record)
    assert "\n" not in str(caught.value)
