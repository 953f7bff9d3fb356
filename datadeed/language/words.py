"""Words of an English text with their places, so that an edit leaves every other character."""

import functools
import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from datadeed.errors import WatermarkError

# Apostrophes are straight or curly; brackets may be spelled as treebanks and movie reviews do.
_TOKEN = re.compile(
    r"""
    -?\b[lr][rcs]b\b-?                          # -lrb-, lrb: a bracket
    | (?:https?://|www\.)\S+ | [@#]\w+          # what only a machine reads
    | (?:[^\W\d_]\.){2,}                        # U.S.
    | (?<!\w)['’](?:s|ll|ve|re|d|m|t)\b         # the second half of "it 's"
    | [^\W_]+(?:[-'’.,/][^\W_]+)*               # words, joined-up words, numbers
    | [^\w\s]+ | _+
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CONTRACTION = re.compile(r"(.+?)(n['’]t|['’](?:s|ll|ve|re|d|m))", re.IGNORECASE | re.DOTALL)
_VOWEL_SOUND = re.compile(r"[aeio]|u(?!ni(?![mn])|s[aeiu]|t[ei])|hour|hono|honest|heir", re.I)
_NO_VOWEL_SOUND = re.compile(r"eu|one(?!r)|once|ewe", re.IGNORECASE)

CLASSES = {"N": "noun", "V": "verb", "J": "adj", "R": "adv"}  # WordNet's, by a tag's first letter
_UPOS = {"N": "NOUN", "V": "VERB", "J": "ADJ", "R": "ADV"}


def word_set(words: str) -> frozenset[str]:
    """Words written one after another, as a set."""
    return frozenset(words.split())


BRACKETS = word_set("lrb rrb lcb rcb lsb rsb")


@dataclass(frozen=True)
class Word:
    """A word, half of a contraction, or a run of punctuation.

    Attributes:
        start, end: the characters of the text that it takes.
        text: those characters.
        tag: its Penn Treebank tag; empty before it was tagged.
    """

    start: int
    end: int
    text: str
    tag: str = ""

    @property
    def plain(self) -> str:
        """In lower case, with straight apostrophes."""
        return self.text.lower().replace("’", "'")

    @property
    def is_word(self) -> bool:
        """Whether it has a letter or digit and stands for more than a bracket."""
        return any(c.isalnum() for c in self.text) and self.plain.strip("-") not in BRACKETS


@dataclass(frozen=True)
class Edit:
    """Characters ``start`` to ``end`` of a text, and what stands there instead.

    Attributes:
        start, end: in the original text; equal for a pure insertion.
        old, new: what stood there, and what stands there now.
    """

    start: int
    end: int
    old: str
    new: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits made; they must not overlap."""
    parts, last = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [text[last : edit.start], edit.new]
        last = edit.end
    return "".join([*parts, text[last:]])


def split(text: str) -> list[Word]:
    """The words of a text, untagged; only white space lies between them.

    Contractions are two words ("does" and "n't", "it" and "'s", "can" and "not"), whether or not
    the text separates them.
    """
    words = []
    for found in _TOKEN.finditer(text):
        start, end, token = found.start(), found.end(), found.group()
        halves = _CONTRACTION.fullmatch(token)
        middle = start + halves.end(1) if halves else end
        if token.lower() == "cannot":
            middle = start + 3
        words += [Word(a, b, text[a:b]) for a, b in ((start, middle), (middle, end)) if a < b]
    return words


def match_case(new: str, old: str) -> str:
    """``new`` in the case of ``old``: capitals, a capital first letter, or as it is."""
    if old.isupper() and sum(c.isalpha() for c in old) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def article(following: str) -> str:
    """ "a" or "an", as the sound of the word after it asks; told from its spelling."""
    vowel = _VOWEL_SOUND.match(following) and not _NO_VOWEL_SOUND.match(following)
    return "an" if vowel else "a"


def replacing(text: str, words: Sequence[Word], position: int, new: str) -> Edit:
    """The edit that puts ``new`` in a word's place, in its case, with the article that it needs.

    Args:
        text: the text.
        words: its words.
        position: of the word to replace.
        new: one word or more, in lower case.
    """
    word = words[position]
    start, put = word.start, match_case(new, word.text)
    before = words[position - 1] if position else None
    if before is not None and before.plain in ("a", "an") and before.plain != article(new):
        put = match_case(article(new), before.text) + text[before.end : word.start] + put
        start = before.start
    return Edit(start, word.end, text[start : word.end], put)


@functools.cache
def lemmas(word: str, part: str) -> tuple[str, ...]:
    """Base forms of a word in lower case, the likeliest first; none if the word is unknown.

    Args:
        word: in lower case.
        part: "N", "V", "J" or "R", the first letter of a tag.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    # Its rules for unknown words are a pickled model: they are never asked.
    return tuple(_lemminflect().getLemma(word, _UPOS[part], lemmatize_oov=False))


def base_forms(word: str, tag: str) -> tuple[str, ...]:
    """:func:`lemmas` of a word with this Penn tag, those that fit the tag first.

    "saw" as VBD is likelier of "see" than of "saw"; as VB it is "saw".
    """
    is_base = tag in ("NN", "VB", "VBP", "JJ", "RB")
    return tuple(sorted(lemmas(word, tag[0]), key=lambda lemma: (lemma == word) != is_base))


@functools.cache
def inflect(lemma: str, tag: str) -> str | None:
    """The form of a base form that a Penn tag names; None if the word or the form is unknown.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    forms = _forms(lemma, _UPOS[tag[0]])
    return forms[tag][0] if forms.get(tag) else None


@functools.cache
def tags_of(word: str) -> frozenset[str]:
    """Every Penn tag that a word in lower case can have; none if the word is unknown.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    found: set[str] = set()
    for upos, bases in _lemminflect().getAllLemmas(word).items():
        for lemma in bases:
            found |= {tag for tag, spelled in _forms(lemma, upos).items() if word in spelled}
    return frozenset(found)


def _forms(lemma: str, upos: str) -> dict[str, tuple[str, ...]]:
    """Spellings by tag; the tables leave out a form that is spelled like another."""
    forms = _lemminflect().getAllInflections(lemma, upos)
    for tag, other in (("VBN", "VBD"), ("VBD", "VBN"), ("VBP", "VB")):
        if tag not in forms and other in forms:
            forms[tag] = forms[other]
    return forms


def _lemminflect() -> Any:
    try:
        return importlib.import_module("lemminflect")
    except ImportError as error:
        raise WatermarkError("word forms need lemminflect: install datadeed[text]") from error
