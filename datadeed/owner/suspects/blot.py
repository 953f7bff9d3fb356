"""Blotting secrets out of a stranger's text: a server may send back the token that it was sent."""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Sequence

PIECE = 5  # characters in a row that give a secret away: a text may hold a part of it, cut off
# Characters as they may be written: percent-encoded (more than once), escaped in JSON, in HTML.
_UNIT = re.compile(
    r"(?P<percent>(?:%(?:25)*[0-9a-f]{2})+)|\\+u(?P<json>[0-9a-f]{4})|\\+x(?P<hex>[0-9a-f]{2})"
    r"|&#x0*(?P<html>[0-9a-f]{1,4});?|&#0*(?P<decimal>[0-9]{1,5});?|(?P<plain>.)",
    re.IGNORECASE | re.DOTALL,
)


def blot(text: str, secrets: Sequence[str]) -> str:
    """A text with ``***`` in place of every piece of a secret.

    A piece is :data:`PIECE` characters in a row, or all of a shorter secret; in upper or lower
    case, escaped, or with invisible characters in between.

    Args:
        text: cleaned (:func:`datadeed.owner.suspects.base.one_line`) or not.
        secrets: printable ASCII; an empty one hides nothing.
    """
    units = [match.group() for match in _UNIT.finditer(text)]
    folded = [(c, at) for at, match in enumerate(_UNIT.finditer(text)) for c in _folded(match)]
    letters = "".join(c for c, _ in folded)
    hidden: set[int] = set()
    for secret in filter(None, map(str.casefold, secrets)):
        size = min(PIECE, len(secret))
        pieces = {secret[at : at + size] for at in range(len(secret) - size + 1)}
        for start in range(len(letters) - size + 1):
            if letters[start : start + size] in pieces:
                hidden |= {*range(folded[start][1], folded[start + size - 1][1] + 1)}
    shown = [
        ("" if at - 1 in hidden else "***") if at in hidden else unit
        for at, unit in enumerate(units)
    ]
    return "".join(shown)


def _folded(unit: re.Match[str]) -> Iterator[str]:
    """The letters that a reader sees; none for what is invisible."""
    kind = unit.lastgroup or ""
    text = unit[kind]
    if kind == "percent":
        digits = re.sub("%(25)*(?=[0-9a-f]{2})", "", text, flags=re.IGNORECASE)
        text = bytes.fromhex(digits).decode(errors="ignore")
    elif kind != "plain":
        text = chr(int(text, 10 if kind == "decimal" else 16))
    for c in unicodedata.normalize("NFKC", text).casefold():
        if unicodedata.category(c)[0] not in "CMZ":
            yield c


def secrets_of(value: str) -> tuple[str, ...]:
    """What must not be shown of a header's value: its last word, and the password within it."""
    word = value.rsplit(maxsplit=1)[-1]
    try:
        _, colon, password = base64.b64decode(word, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return (word,)
    return (word, password) if colon and password.isprintable() else (word,)
