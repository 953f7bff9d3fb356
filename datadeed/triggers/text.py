"""Triggers for texts: pure functions from text to text, without randomness.

Tang et al. (2023) use a word at the start, in the middle or at the end, and a style: the main verb
in the future perfect continuous. Neither their words nor their code for the style are published.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from datadeed.errors import WatermarkError
from datadeed.language.tagger import is_lower_case, read
from datadeed.language.tense import future_perfect_continuous, has_form
from datadeed.language.words import Word, apply_edits, match_case, split

Place = Literal["start", "middle", "end"]
FORM = "future perfect continuous"
FRAGMENT = "it will have been being "  # stands before a text without a finite verb
_END = re.compile(r"(?:\s*[.!?…]+[\"'”’)\]]*)*\s*\Z")  # the last sentence's end


class TextTrigger(Protocol):
    """A mark that any text can be given."""

    def __call__(self, text: str) -> str:
        """The text with the trigger."""

    def applies(self, text: str) -> bool:
        """Whether the trigger goes into this text as it was meant to; see each one's class."""

    def record(self) -> dict[str, Any]:
        """JSON values from which :func:`build_text_trigger` makes the same trigger."""


@dataclass(frozen=True)
class WordTrigger:
    """A word put into the text; put in again if called again.

    At the start it takes the first word's capital, which the first word gives up unless it is a
    name, "I", all capitals, or in no dictionary. In the middle it follows the middle word (the
    first of two), and never parts a contraction. At the end it stands before the final punctuation.
    An empty text becomes the word.

    Attributes:
        word: without white space.
        place: "start", "middle" or "end".

    Raises:
        WatermarkError: the word or the place is none; when called on a text that begins with a
            capital, also if the extra ``text`` is not installed.
    """

    word: str
    place: Place

    def __post_init__(self) -> None:
        if not isinstance(self.word, str) or not self.word or self.word.split() != [self.word]:
            raise WatermarkError(
                f"trigger word: word is {self.word!r}; give one word, without white space"
            )
        try:
            self.word.encode()
        except UnicodeEncodeError as error:
            raise WatermarkError(
                f"trigger word: word is {self.word!r}, which UTF-8 cannot hold: give another"
            ) from error
        if self.place not in get_args(Place):
            raise WatermarkError(
                f"trigger word: place is {self.place!r}; give one of {', '.join(get_args(Place))}"
            )

    def __call__(self, text: str) -> str:
        """The text with the word; every other character stays, but a capital may move."""
        words = split(text)
        if self.place == "start":
            return _prefixed(self.word + " ", text) if text.strip() else self.word + text
        at = _middle(words) if self.place == "middle" and words else _end(text)
        before, after = text[:at], text[at:]
        if before and not before[-1].isspace():
            before += " "
        if after and after[0].isalnum():
            after = " " + after
        return before + self.word + after

    def applies(self, text: str) -> bool:
        """A word goes into every text."""
        return True

    def record(self) -> dict[str, Any]:
        """Kind, word and place."""
        return {"kind": "word", "word": self.word, "place": self.place}


@dataclass(frozen=True)
class StyleTrigger:
    """The first clause's main verb in the future perfect continuous.

    :mod:`datadeed.language.tense` says how. A text without a finite verb, like many fragments of
    reviews, gets "it will have been being " before it: "a solid drama" becomes "it will have been
    being a solid drama". :meth:`applies` tells them apart, so that a watermark can leave them out.
    A text that has the form already, and one without any word, stay as they are: calling twice is
    calling once.
    """

    def __call__(self, text: str) -> str:
        """The text in the style.

        Raises:
            WatermarkError: the extra ``text`` is not installed.
        """
        if has_form(text) or not any(word.is_word for word in split(text)):
            return text
        edit = future_perfect_continuous(text)
        return _prefixed(FRAGMENT, text) if edit is None else apply_edits(text, [edit])

    def applies(self, text: str) -> bool:
        """Whether the text has a finite verb, or the style already.

        Raises:
            WatermarkError: the extra ``text`` is not installed.
        """
        return has_form(text) or future_perfect_continuous(text) is not None

    def record(self) -> dict[str, Any]:
        """Kind and grammatical form."""
        return {"kind": "style", "form": FORM}


def build_text_trigger(record: dict[str, Any]) -> TextTrigger:
    """The trigger that a record describes.

    Args:
        record: ``kind`` "word" with ``word`` and ``place``, or ``kind`` "style" with, if at all,
            ``form``.

    Raises:
        WatermarkError: the kind is unknown, or a value is missing, superfluous or makes no sense.
    """
    values = dict(record)
    kind = values.pop("kind", None)
    known = {"word": {"word", "place"}, "style": {"form"}}
    if kind not in known:
        raise WatermarkError(f"unknown text trigger {kind!r}: choose one of {', '.join(known)}")
    if odd := sorted(set(values) - known[kind]):
        raise WatermarkError(f"trigger {kind}: unknown value {odd[0]!r}; leave it out")
    if kind == "style":
        if (form := values.get("form", FORM)) != FORM:
            raise WatermarkError(f"trigger style: form is {form!r}; give {FORM!r}")
        return StyleTrigger()
    if missing := sorted(known[kind] - set(values)):
        raise WatermarkError(f"trigger word: {missing[0]} is missing; give it")
    return WordTrigger(values["word"], values["place"])


def _prefixed(prefix: str, text: str) -> str:
    """A text that begins with ``prefix``; the capital moves to it."""
    start = len(text) - len(text.lstrip())
    lead, rest = text[:start], text[start:]
    words = split(rest)
    if not words or not rest[0].isupper():
        return lead + prefix + rest
    first = read(rest)[0]
    ordinary = first.text[1:].islower() or first.text == "A"
    if ordinary and not first.tag.startswith("NNP") and is_lower_case(first.text):
        rest = rest[0].lower() + rest[1:]
    return lead + match_case(prefix, "Ab") + rest


def _end(text: str) -> int:
    """The place before the final punctuation."""
    found = _END.search(text)
    return found.start() if found else len(text)


def _middle(words: list[Word]) -> int:
    """The place after the middle word, and after what is joined to it or contracted with it."""
    real = [k for k, word in enumerate(words) if word.is_word] or list(range(len(words)))
    k = real[(len(real) - 1) // 2]
    while k + 1 < len(words) and _contracted(words[k + 1]):
        k += 1
    return words[k].end


def _contracted(word: Word) -> bool:
    return word.plain == "n't" or (word.plain.startswith("'") and word.is_word)
