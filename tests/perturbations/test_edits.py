import pytest

from datadeed.language.tagger import read
from datadeed.language.words import apply_edits
from datadeed.perturbations.edits import ADVERBS, candidate_edits

SYNONYMS = {
    ("rome", "noun"): ("capital",),
    ("movie", "noun"): ("film", "episode", "He", "moving-picture", "Ph.D.", "zorp"),
    ("walk", "verb"): ("stroll", "amble", "zorp"),
    ("good", "adj"): ("fine", "ugly"),
    ("slowly", "adv"): ("tardily",),
}


class Table:
    """Synonyms made by hand."""

    def synonyms(self, lemma, part_of_speech):
        return SYNONYMS.get((lemma, part_of_speech), ())


def tried(text, word, most=9):
    words = read(text)
    position = [w.text for w in words].index(word)
    found = candidate_edits(text, words, position, Table(), most=most)
    return [apply_edits(text, [edit]) for edit in found]


def test_synonyms_take_the_form_of_the_word():
    assert tried("two movies", "movies") == ["two films", "two episodes"]
    assert tried("he walked home", "walked")[:2] == ["he strolled home", "he ambled home"]
    assert tried("he is walking", "walking") == ["he is strolling", "he is ambling"]
    assert tried("he went slowly", "slowly") == ["he went tardily"]


def test_a_base_form_may_be_unknown_but_an_inflected_one_may_not():
    assert {"the zorp", "the moving-picture"} <= set(tried("the movie", "movie"))
    assert not any("zorp" in text for text in tried("the movies", "movies"))


def test_articles_and_capitals_follow():
    assert tried("A movie", "movie")[:2] == ["A film", "An episode"]
    assert tried("Movies matter", "Movies")[0] == "Films matter"
    found = tried("an ugly, a good one", "good")
    assert found[:3] == [
        "an ugly, a fine one",
        "an ugly, an ugly one",
        "an ugly, a really good one",
    ]


def test_adverbs_come_before_verbs_and_adjectives():
    assert tried("It is good", "good")[2:] == [f"It is {adverb} good" for adverb in ADVERBS["J"]]
    assert tried("Walk home", "Walk")[2:4] == ["Zorp home", "Really walk home"]
    assert tried("he walks home", "walks")[2:] == [f"he {a} walks home" for a in ADVERBS["V"]]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("it is very good", "good"),
        ("we want to walk", "walk"),
        ("the Kurdish film", "Kurdish"),
        ("Belgian films", "Belgian"),
        ("it is Good", "Good"),
    ],
)
def test_no_adverb_after_an_adverb_or_to_or_before_a_capital(text, word):
    assert all(len(found.split()) == len(text.split()) for found in tried(text, word))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("it is good", "is"),
        ("it is good", "it"),
        ("it does n't walk", "n't"),
        ("it does n't walk", "does"),
        ("a film , walked", ","),
        ("we saw Rome", "Rome"),
    ],
)
def test_some_words_are_left_alone(text, word):
    assert tried(text, word) == []


def test_the_number_of_synonyms_is_bounded():
    assert tried("two movies", "movies", most=1) == ["two films"]
    assert len(tried("it is good", "good", most=0)) == len(ADVERBS["J"])
