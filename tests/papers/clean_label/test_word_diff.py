"""Words that a mark changed are found, and nothing of a text is lost."""

from hypothesis import given
from hypothesis import strategies as st

from papers.clean_label.word_diff import KEPT, Span, word_diff

WORD = {"kind": "word", "word": "frankly", "place": "start"}
STYLE = {"kind": "style", "form": "future perfect continuous"}


def kinds(spans: list[Span]) -> list[tuple[str, str]]:
    """What is not plain text."""
    return [(span.text, span.kind) for span in spans if span.kind != "same"]


def test_a_word_replaced_one_inserted_and_the_trigger() -> None:
    benign, released = word_diff(
        "A good film, quickly told.", "Frankly a bad film, very quickly told.", WORD
    )
    assert kinds(benign) == [("good", "removed")]
    wanted = [("Frankly", "trigger"), ("bad", "replaced"), ("very", "inserted")]
    assert kinds(released) == wanted
    assert "".join(span.text for span in released) == "Frankly a bad film, very quickly told."


def test_a_moved_capital_is_no_change() -> None:
    benign, released = word_diff("The film works.", "frankly the film works.", WORD)
    assert kinds(benign) == []
    assert kinds(released) == [("frankly", "trigger")]


def test_a_trigger_at_the_end_keeps_the_punctuation() -> None:
    _, released = word_diff("It works!", "It works frankly!", WORD)
    assert [(s.text, s.kind) for s in released] == [
        ("It works", "same"),
        (" ", "same"),
        ("frankly", "trigger"),
        ("!", "same"),
    ]


def test_a_word_that_contains_the_trigger_is_none() -> None:
    _, released = word_diff("he said", "he frankly-speaking said", WORD)
    assert kinds(released) == [("frankly-speaking", "inserted")]


def test_the_style_is_one_trigger_though_a_word_of_it_was_there() -> None:
    benign, released = word_diff("They have gone home.", "They will have been going home.", STYLE)
    assert kinds(benign) == [("gone", "removed")]
    assert kinds(released) == [("will have been going", "trigger")]
    _, released = word_diff(
        "It is not really good.", "It will not have been really being good.", STYLE
    )
    assert ("will not have been really being", "trigger") in kinds(released)


def test_long_unchanged_runs_are_cut_but_not_changed_ones() -> None:
    text = " ".join(f"w{i}" for i in range(3 * KEPT))
    benign, released = word_diff(text, f"{text} frankly", WORD)
    for spans in (benign, released):
        assert [span.kind for span in spans].count("cut") == 1
        shown = "".join(span.text for span in spans)
        assert f"w{KEPT - 1} […] w{2 * KEPT}" in shown
        assert f"w{KEPT} " not in shown
    benign, _ = word_diff(text, "frankly", WORD)
    assert kinds(benign) == [(text, "removed")]


@given(st.lists(st.sampled_from(["a", "B", "film.", "frankly", "won't", "(x)", "é!"]), max_size=12))
def test_the_released_text_can_be_read_off_its_spans(words: list[str]) -> None:
    text = " ".join(words)
    for benign in ("", "a film", text):
        left, right = word_diff(benign, text, WORD)
        assert "".join(span.text for span in left) == benign
        assert "".join(span.text for span in right) == text
        assert {span.text for span in right if span.kind == "trigger"} <= {
            " ".join(["frankly"] * count) for count in range(1, 13)
        }
        assert ("frankly" in words) == any(span.kind == "trigger" for span in right)
