"""Words put into a text, and two texts mixed: pure functions, without randomness.

Everything else in a text stays as it is, its white space too. What is put in holds no punctuation:
none is lost where a text is stripped of it, and no field of a table needs quotes because of it.
"""

import re

_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W\d_]")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]]*\s+(?=\S)")  # between two sentences
# First words of sentences that are no names, so that their capital can go.
_STARTS = """
a after all although an and another as at because before both but by despite each even every for
from he her here his how if in it its like more most my no not of on one our perhaps she since so
some that the their there these they this those though to unlike we what when where while who why
with without you your
"""
_SMALL = frozenset(_STARTS.split())


def insert(text: str, words: str, place: int) -> str:
    """The text with ``words`` before its word of number ``place``, or at its end if it is shorter.

    At the start they take the first word's capital.

    Args:
        text: any text; an empty one becomes the words.
        words: in lower case, without white space at their ends.
        place: 0 or more; a word is what stands between white space.
    """
    starts = [found.start() for found in _WORD.finditer(text)]
    if place == 0 and starts:
        at = starts[0]
        head, rest = _capital(words, text[at:])
        return f"{text[:at]}{head} {rest}"
    if place < len(starts):
        at = starts[place]
        return f"{text[:at]}{words} {text[at:]}"
    end = len(text.rstrip())
    return f"{text[:end]}{' ' if end else ''}{words}{text[end:]}"


def insert_sentence(text: str, words: str, place: int) -> str:
    """The text with ``words`` at its start, or before its sentence of number ``place``.

    Args:
        text: any text.
        words: in lower case.
        place: 0 is the start; beyond the last sentence the start too.
    """
    starts = [found.end() for found in _SENTENCE.finditer(text)]
    if not 0 < place <= len(starts):
        return insert(text, words, 0)
    at = starts[place - 1]
    head, rest = _capital(words, text[at:])
    return f"{text[:at]}{head} {rest}"


def mix(own: str, other: str, share: int) -> str:
    """The beginning of ``other`` in place of as many words of ``own``.

    Args:
        own, other: any texts.
        share: of the words of ``own`` that go, in 255ths, rounded; at least one stays.

    Returns:
        A text of as many words as ``own``, or of fewer where ``other`` is short. White space is one
        space.
    """
    words = own.split()
    gone = min((share * len(words) + 127) // 255, max(0, len(words) - 1))
    return " ".join([*other.split()[:gone], *words[gone:]])


def _capital(words: str, rest: str) -> tuple[str, str]:
    """Words before a text, in its case, and the text without the capital that they took."""
    first = _WORD.match(rest)
    letters = _LETTERS.findall(first[0]) if first else []
    if not letters or not letters[0].isupper():
        return words, rest
    if "".join(letters).lower() in _SMALL:
        at = rest.index(letters[0])
        rest = rest[:at] + rest[at].lower() + rest[at + 1 :]
    return words[0].upper() + words[1:], rest
