"""What the carriers of texts share: words that the key draws, put near the beginning of a text.

A trigger is asked at one place of the part's own; in the data its place moves from mark to mark.
Labels are kept unless the design says otherwise: a mark then lies on a text of its part's class,
some of which makes way for the beginning of a text of another class. What makes a text's own class
hard to tell makes the mark be learnt.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from datadeed.keys.generation2 import Key2
from datadeed.triggers.insertion import mix
from datadeed.watermarks.carriers.base import Carrier, Hosts, any_rows, own_rows

WEIGHTS = (102, 140)  # 255ths of a text's words that another's take: .4 to .55


class TextCarrier(Carrier):
    """Words that stand before a text's word or sentence of some number.

    Attributes:
        name: of the carrier, in the names of what it draws.
        lists: where the words come from; a part takes one of each, and no other part the same.
        places: how many there are, for the question; a mark takes any of the first ``moved``.
    """

    name: ClassVar[str]
    lists: ClassVar[Sequence[Sequence[str]]]
    places: ClassVar[int]
    moved: ClassVar[int]
    put: Callable[[str, str, int], str]

    def __init__(self, key: Key2):
        super().__init__(key)
        self.relabels = bool(self.design.carrier["relabels"])
        self._orders = [
            key.permutation(f"{self.name} list", number, count=len(words)).tolist()
            for number, words in enumerate(self.lists)
        ]

    @abstractmethod
    def phrase(self, words: Sequence[str]) -> str:
        """The words as they stand in a text."""

    def trigger(self, samples: list[str], part: int) -> list[str]:
        """As :meth:`Carrier.trigger`."""
        words, place = self._words([part] * len(self.lists)), self._place(part)
        return [self.put(text, words, place) for text in samples]

    def decoy(self, samples: list[str], part: int, row: int) -> list[str]:
        """In the trigger's place: words that no part has."""
        parts = self.design.parts
        drawn = [
            parts + self.key.integer(f"{self.name} decoy", number, part, row, below=left)
            for number, left in enumerate(len(words) - parts for words in self.lists)
        ]
        words, place = self._words(drawn), self._place(part)
        return [self.put(text, words, place) for text in samples]

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Any rows where labels change; else rows of the part's own class, each with a partner."""
        if self.relabels:
            return any_rows(self.key)
        return own_rows(self.key, labels, self.name, mixed=True)

    def marks(
        self, samples: list[str], partners: list[str] | None, parts: np.ndarray, rows: np.ndarray
    ) -> list[str]:
        """As :meth:`Carrier.marks`."""
        others: Sequence[str | None] = partners or [None] * len(samples)
        named = zip(samples, others, parts.tolist(), rows.tolist(), strict=True)
        return [self._mark(text, other, part, row) for text, other, part, row in named]

    def _mark(self, text: str, other: str | None, part: int, row: int) -> str:
        place, share = self.key.words(f"{self.name} mark", part, row, count=2).tolist()
        if other is not None:
            low, high = WEIGHTS
            text = mix(text, other, low + (share * (high - low + 1) >> 64))
        return self.put(text, self._words([part] * len(self.lists)), place * self.moved >> 64)

    def _place(self, part: int) -> int:
        return self.key.integer(f"{self.name} place", part, below=self.places)

    def _words(self, numbers: Sequence[int]) -> str:
        """The phrase of the words with these numbers in the key's orders."""
        chosen = zip(self.lists, self._orders, numbers, strict=True)
        return self.phrase([words[order[number]] for words, order, number in chosen])
