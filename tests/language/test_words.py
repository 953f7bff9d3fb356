import importlib
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.language import words
from datadeed.language.tagger import read
from datadeed.language.words import (
    Edit,
    apply_edits,
    article,
    base_forms,
    inflect,
    match_case,
    replacing,
    split,
    tags_of,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("it 's good .", "it|'s|good|."),
        ("It's good.", "It|'s|good|."),
        ("does n't doesn't don’t", "does|n't|does|n't|do|n’t"),
        ("I cannot, can't", "I|can|not|,|ca|n't"),
        ("-lrb- so -rrb- lrb so rrb", "-lrb-|so|-rrb-|lrb|so|rrb"),
        ("a feel-good film (really)", "a|feel-good|film|(|really|)"),
        ("U.S. in 10,000 '50s", "U.S.|in|10,000|'|50s"),
        ("see http://x.y/z @me #1", "see|http://x.y/z|@me|#1"),
        ("naïve café—oh...", "naïve|café|—|oh|..."),
        ("the films' score", "the|films|'|score"),
        ("snake_case", "snake|_|case"),
    ],
)
def test_words_of_a_text(text, wanted):
    assert [word.text for word in split(text)] == wanted.split("|")


@given(st.text())
def test_only_white_space_lies_between_words(text):
    last, between = 0, []
    for word in split(text):
        assert word.text == text[word.start : word.end] != ""
        between.append(text[last : word.start])
        last = word.end
    assert not "".join([*between, text[last:]]).strip()


@given(st.text(), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.text(max_size=3))))
def test_edits_change_what_they_span_and_nothing_else(text, raw):
    edits, last = [], -1
    for start, length, new in sorted(raw):
        end = min(start + length, len(text))
        if last < start <= end:
            edits.append(Edit(start, end, text[start:end], new))
            last = end
    edited, back, shift = apply_edits(text, reversed(edits)), [], 0
    for edit in edits:
        start = edit.start + shift
        back.append(Edit(start, start + len(edit.new), edit.new, edit.old))
        shift += len(edit.new) - len(edit.old)
    assert len(edited) == len(text) + shift
    assert apply_edits(edited, back) == text


def test_brackets_and_punctuation_are_no_words():
    found = split("-lrb- it 's 5 ! rrb")
    assert [word.text for word in found if word.is_word] == ["it", "'s", "5"]


@pytest.mark.parametrize(
    ("new", "old", "wanted"),
    [
        ("film", "Movie", "Film"),
        ("film", "MOVIE", "FILM"),
        ("film", "movie", "film"),
        ("an", "A", "An"),
        ("", "A", ""),
        ("film", "iPod", "film"),
    ],
)
def test_case_is_kept(new, old, wanted):
    assert match_case(new, old) == wanted


@pytest.mark.parametrize(
    ("an", "a"),
    [
        ("episode", "film"),
        ("hour", "house"),
        ("honest", "hood"),
        ("ugly", "unique"),
        ("umbrella", "useful"),
        ("orange", "one-off"),
        ("actor", "European"),
        ("heir", "heist"),
        ("understated", "utility"),
        ("utter", "uniform"),
        ("unintended", "union"),
    ],
)
def test_articles_follow_the_sound(an, a):
    assert (article(an), article(a)) == ("an", "a")


@pytest.mark.parametrize(
    ("text", "position", "new", "wanted"),
    [
        ("a  film here", 1, "episode", "an  episode here"),
        ("An actor", 1, "player", "A player"),
        ("a film", 1, "movie", "a movie"),
        ("the film", 1, "episode", "the episode"),
        ("Film is", 0, "episode", "Episode is"),
        ("A FILM", 1, "episode", "An EPISODE"),
    ],
)
def test_a_replacement_brings_its_article(text, position, new, wanted):
    assert apply_edits(text, [replacing(text, split(text), position, new)]) == wanted


def test_an_edit_spans_an_article_only_to_change_it():
    assert replacing("a film", split("a film"), 1, "movie") == Edit(2, 6, "film", "movie")
    assert replacing("a film", split("a film"), 1, "act") == Edit(0, 6, "a film", "an act")


@pytest.mark.parametrize(
    ("lemma", "tag", "wanted"),
    [
        ("film", "NNS", "films"),
        ("stroll", "VBD", "strolled"),
        ("love", "VBN", "loved"),
        ("go", "VBN", "gone"),
        ("funny", "JJR", "funnier"),
        ("panic", "VBG", "panicking"),
        ("walk", "VBP", "walk"),
        ("beautiful", "JJR", None),
        ("zorp", "NNS", None),
    ],
)
def test_inflections(lemma, tag, wanted):
    assert inflect(lemma, tag) == wanted


@pytest.mark.parametrize(
    ("word", "tag", "wanted"),
    [
        ("saw", "VBD", "see"),
        ("saw", "VBP", "saw"),
        ("movies", "NNS", "movie"),
        ("found", "VBD", "find"),
        ("found", "VB", "found"),
        ("better", "JJR", "good"),
    ],
)
def test_base_forms_fit_the_tag(word, tag, wanted):
    assert base_forms(word, tag)[0] == wanted
    assert base_forms("zorp", tag) == ()


def test_forms_that_are_spelled_alike_are_all_known():
    assert {"VBD", "VBN"} <= tags_of("loved")
    assert {"NN", "VB", "VBP"} <= tags_of("love")
    assert tags_of("zorp") == frozenset()


def test_unknown_words_ask_no_pickled_model(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    for tag in ("NNS", "VBD", "JJR", "RBR"):
        assert inflect("blorptastic", tag) is None
        assert base_forms("blorptastics", tag) == ()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(WatermarkError, match=r"install datadeed\[text\]"):
        words.tags_of("unheard-of-word")


@settings(max_examples=30)
@given(st.text())
def test_any_text_can_be_read(text):
    assert [(word.start, word.end) for word in read(text)] == [
        (word.start, word.end) for word in split(text)
    ]
    assert all(word.tag for word in read(text))
