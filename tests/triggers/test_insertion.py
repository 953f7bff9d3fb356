"""Words put into texts, and texts mixed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.triggers.insertion import insert, insert_sentence, mix

TEXTS = st.text(alphabet="aB ß.,!?\n\t\"'", max_size=60)
PLACES = st.integers(0, 9)


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("a fine film .", 0, "x y a fine film ."),
        ("a fine film .", 2, "a fine x y film ."),
        ("a fine film .", 4, "a fine film . x y"),
        ("a  fine\nfilm", 2, "a  fine\nx y film"),
        ("A fine film", 0, "X y a fine film"),
        ("Anna sings", 0, "X y Anna sings"),
        ("\u201cIt works\u201d", 0, "X y \u201cit works\u201d"),
        ("", 0, "x y"),
        (" \n", 3, "x y \n"),
    ],
)
def test_words_stand_before_a_word(text: str, place: int, wanted: str) -> None:
    assert insert(text, "x y", place) == wanted


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("One. Two. Three.", 0, "X y one. Two. Three."),
        ("One. Two. Three.", 1, "One. X y Two. Three."),
        ("one ! two", 1, "one ! x y two"),
        ("One. Two", 2, "X y one. Two"),
        ('He said "no." The end', 1, 'He said "no." X y the end'),
    ],
)
def test_words_stand_before_a_sentence(text: str, place: int, wanted: str) -> None:
    assert insert_sentence(text, "x y", place) == wanted


@given(TEXTS, PLACES, st.sampled_from([insert, insert_sentence]))
def test_nothing_else_changes_but_a_capital(text: str, place: int, put) -> None:  # type: ignore[no-untyped-def]
    found = put(text, "zq", place)
    at = found.lower().index("zq")
    left = found[:at] + found[at + 2 :]
    assert "".join(left.split()).lower() == "".join(text.split()).lower()
    assert found.lower().count("zq") == 1


@given(TEXTS, TEXTS, st.integers(0, 255))
def test_a_mix_is_the_beginning_of_one_and_the_end_of_the_other(
    own: str, other: str, share: int
) -> None:
    words, found = own.split(), mix(own, other, share).split()
    assert len(found) <= len(words)
    assert not words or found[-1] == words[-1], "a word of its own stays"
    kept = len(words) - min((share * len(words) + 127) // 255, max(0, len(words) - 1))
    assert found[len(found) - kept :] == words[len(words) - kept :]
    assert found[: len(found) - kept] == other.split()[: len(found) - kept]
