"""A rare word with a modifier, between the first words of a text: "striped kestrel"."""

from collections.abc import Sequence
from typing import ClassVar

from datadeed.triggers.insertion import insert
from datadeed.watermarks.carriers.lexicon import MODIFIERS, NOUNS
from datadeed.watermarks.carriers.texts import TextCarrier


class Words(TextCarrier):
    """A modifier and a noun, before one of the first words."""

    name: ClassVar[str] = "words"
    lists: ClassVar[Sequence[Sequence[str]]] = (MODIFIERS, NOUNS)
    places: ClassVar[int] = 4
    moved: ClassVar[int] = 8
    put = staticmethod(insert)

    def phrase(self, words: Sequence[str]) -> str:
        """One after the other."""
        return " ".join(words)
