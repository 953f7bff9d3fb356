"""What a word of a text may be changed to: a synonym in its form, or an adverb before it."""

import re
from collections.abc import Iterator, Sequence

from datadeed.language.tagger import is_lower_case
from datadeed.language.wordnet import Synonyms
from datadeed.language.words import CLASSES, Edit, Word, base_forms, inflect, replacing, word_set

# Which adverbs the authors insert is not published. These are frequent, and keep the meaning.
ADVERBS = {
    "J": ("really", "very", "quite", "rather", "truly", "fairly", "somewhat", "simply"),
    "V": ("really", "truly", "simply", "actually", "clearly", "certainly", "often", "always"),
}
_TAKES_ADVERB = frozenset({"JJ", "VB", "VBD", "VBN", "VBP", "VBZ"})
_BASE_TAGS = frozenset({"NN", "VB", "VBP", "JJ", "RB"})
_ORDINARY = re.compile(r"[a-z]+(?:-[a-z]+)*")
# Auxiliaries, negations and words that hold a sentence together: a synonym breaks it.
_FIXED = word_set(
    "be am is are was were been being 'm 're 's 've 'll 'd ai have has had having do does did "
    "doing done not n't never no nor so as too then than there here how when where why just only "
    "even more most less least much many other such own same few able"
)


def candidate_edits(
    text: str, words: Sequence[Word], position: int, synonyms: Synonyms, *, most: int
) -> tuple[Edit, ...]:
    """The edits of one word: synonyms in WordNet's order, then adverbs.

    Names, auxiliaries and negations are left alone. An article before the word is put right ("a
    film" to "an episode"), so an edit may span it.

    Args:
        text: the text.
        words: its tagged words (:func:`datadeed.language.tagger.read`).
        position: of the word.
        synonyms: where they come from.
        most: number of synonyms.

    Returns:
        Edits of the text; those of different positions never overlap.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    word = words[position]
    if not word.is_word or word.plain in _FIXED or _class(word) is None:
        return ()
    found = list(dict.fromkeys(_synonyms(word, synonyms)))[:most]
    found += _with_adverbs(words, position)
    return tuple(replacing(text, words, position, new) for new in found)


def _class(word: Word) -> str | None:
    """The first letter of its tag if that is a class with synonyms: "N", "V", "J", "R"."""
    if word.tag.startswith("NNP") or word.tag == "RP":
        return None
    return word.tag[0] if word.tag[:1] in CLASSES else None


def _synonyms(word: Word, synonyms: Synonyms) -> Iterator[str]:
    """Synonyms of each base form, inflected as the word is."""
    for lemma in base_forms(word.plain, word.tag):
        for synonym in synonyms.synonyms(lemma, CLASSES[word.tag[0]]):
            if _ORDINARY.fullmatch(synonym):  # WordNet has symbols and names, too
                form = inflect(synonym, word.tag)
                if form is None and word.tag in _BASE_TAGS:
                    form = synonym
                if form is not None and form != word.plain:
                    yield form


def _with_adverbs(words: Sequence[Word], position: int) -> list[str]:
    """The word with an adverb before it, unless it has one, follows "to" or keeps its capital."""
    word, before = words[position], words[position - 1] if position else Word(0, 0, "")
    if word.tag not in _TAKES_ADVERB or before.tag.startswith(("RB", "TO")):
        return []
    capital = word.text[0].isupper()
    if capital and (position > 0 or not is_lower_case(word.text)):
        return []
    spelled = word.text.lower() if capital else word.text
    return [f"{adverb} {spelled}" for adverb in ADVERBS[word.tag[0]]]
