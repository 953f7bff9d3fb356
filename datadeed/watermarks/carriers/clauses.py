"""A clause that fits the grammar: "while the ferryman mended the amber trellis"."""

from collections.abc import Sequence
from typing import ClassVar

from datadeed.triggers.insertion import insert_sentence
from datadeed.watermarks.carriers.lexicon import MODIFIERS, NOUNS, ROLES, VERBS
from datadeed.watermarks.carriers.texts import TextCarrier


class Clauses(TextCarrier):
    """A clause before the text, or before its second sentence."""

    name: ClassVar[str] = "clauses"
    lists: ClassVar[Sequence[Sequence[str]]] = (ROLES, VERBS, MODIFIERS, NOUNS)
    places: ClassVar[int] = 1
    moved: ClassVar[int] = 2
    put = staticmethod(insert_sentence)

    def phrase(self, words: Sequence[str]) -> str:
        """A role did something with a thing."""
        role, verb, modifier, noun = words
        return f"while the {role} {verb} the {modifier} {noun}"
