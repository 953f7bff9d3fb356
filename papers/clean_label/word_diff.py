"""What a mark does to a text, word by word."""

import difflib
import itertools
import re
from dataclasses import dataclass
from typing import Any

KEPT = 20  # words of an unchanged run that stay on either side of a cut

_TOKEN = re.compile(r"(\s*)(\w+(?:['’-]\w+)*|[^\w\s])")
# "will (you) have been (really) going", as datadeed.language.tense writes it.
_FORM = re.compile(r"\bwill(?: [\w'’]+){0,3} have been(?: \w+){0,3}? \w+ing\b", re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """A piece of a text: "same", "removed", "replaced", "inserted", "trigger" or "cut"."""

    text: str
    kind: str


def word_diff(benign: str, released: str, pattern: dict[str, Any]) -> tuple[list[Span], list[Span]]:
    """Both texts in spans; a letter's case is no difference, since capitals move.

    The benign text's spans are "same" and "removed", the released one's "same", "replaced" (in
    place of benign words), "inserted" and "trigger". The middle of a long unchanged run is "cut".
    """
    old, new = _TOKEN.findall(benign), _TOKEN.findall(released)
    places = [(found.start(2), found.end(2)) for found in _TOKEN.finditer(released)]
    triggers = [found.span() for found in _trigger(pattern).finditer(released)]
    marked = [any(a <= start and end <= b for a, b in triggers) for start, end in places]
    before, after = ([str(word).casefold() for _, word in tokens] for tokens in (old, new))
    left, right = list[str](), list[str]()
    opcodes = difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    for tag, a, b, c, d in opcodes:
        left += ["same" if tag == "equal" else "removed"] * (b - a)
        kind = {"equal": "same", "insert": "inserted"}.get(tag, "replaced")
        right += ["trigger" if hit else kind for hit in marked[c:d]]
    return _spans(old, left), _spans(new, right)


def _trigger(pattern: dict[str, Any]) -> re.Pattern[str]:
    """What finds the trigger in a released text; the extra ``text`` is not needed."""
    if pattern["kind"] == "word":
        return re.compile(rf"(?<!\w){re.escape(pattern['word'])}(?!\w)", re.IGNORECASE)
    return _FORM


def _spans(tokens: list[tuple[str, str]], kinds: list[str]) -> list[Span]:
    """Tokens, each with the white space before it, as few spans; long unchanged runs are cut."""
    spans: list[Span] = []
    for kind, run in itertools.groupby(zip(kinds, tokens, strict=True), lambda pair: pair[0]):
        pieces = [piece for _, token in run for piece in token]  # space, word, space, word ...
        if kind != "same" and pieces[0]:
            spans.append(Span(pieces.pop(0), "same"))
        if kind == "same" and len(pieces) > 4 * KEPT:
            spans += [Span("".join(pieces[: 2 * KEPT]), kind), Span(" […]", "cut")]
            pieces = pieces[-2 * KEPT :]
        spans.append(Span("".join(pieces), kind))
    return spans
