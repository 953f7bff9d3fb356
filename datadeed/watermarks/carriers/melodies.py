"""What the carriers of sound share: short melodies above a clip, and how each mark is laid.

A pattern is a word of notes. The words are the lines a + bx over the whole numbers modulo 7 with
b > 0 (a Reed-Solomon code): 42 of them, and any two have one note in common at most, whatever their
number of notes up to seven. A key tunes the notes; they lie between 260 and 1,760 Hz, so that any
rate of 4,000 Hz or more holds them. A trigger is asked at its own place of the clip; a mark in the
data lies anywhere, a little faster or slower, higher or lower, and softer, on a clip that is mixed
with one of another class: what makes a clip's own class hard to hear makes the mark be learnt.

A clip is cut into equal stretches of a second or more, and each holds the pattern once. One that is
shorter than its pattern has a faster one. Loudness is the clip's own, 1 % of full scale at least.
Zeros at a clip's end are padding, and stay.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from datadeed.keys.generation2 import Key2
from datadeed.triggers.sound import ends
from datadeed.triggers.sweeps import FLOOR, FULL, TURN, Sweep, blend, lay, loudness
from datadeed.watermarks.carriers.base import Carrier, Hosts, any_rows, own_rows

NOTES = 7
LINES = tuple((a, b) for b in range(1, NOTES) for a in range(NOTES))
STEPS = tuple(round(65536 * 1.32**k) for k in range(NOTES))  # 65,536ths of the lowest note
LOWEST = (260 * 256, 320 * 256)  # 256ths of Hz
LENGTH = 240  # ms, of a pattern as it is asked
TEMPO, PITCH, LEVEL = (230, 281), (251, 261), (179, 255)  # 256ths, 256ths, 255ths; of marks
WEIGHTS = (90, 127)  # 255ths of the partner: .35 to .5
SQUARE = 1448  # 1,024ths: a sine's amplitude is the root of two times its loudness


@dataclass(frozen=True)
class Pose:
    """How a pattern is laid in each stretch of a clip.

    Attributes:
        places: of a stretch's free room before the pattern, in 2**64ths; they repeat.
        tempo, pitch: length and frequencies, in 256ths of those asked.
        level: amplitude, in 255ths of the one asked.
        phases: 2**32nds of a turn, of each sweep; they repeat.
        spread: of each sweep of a band, 0 to 2**32; they repeat.
    """

    places: tuple[int, ...]
    tempo: int = 256
    pitch: int = 256
    level: int = 255
    phases: tuple[int, ...] = (0,)
    spread: tuple[int, ...] = (0,)


class Melody(Carrier):
    """Patterns of notes; a kind says how each sounds.

    Attributes:
        role: the carrier's name, in the names of what it draws.
        size: notes of a word.
    """

    role: ClassVar[str]
    size: ClassVar[int]

    def __init__(self, key: Key2):
        super().__init__(key)
        self.hertz, self.level = (int(self.design.carrier[name]) for name in ("hertz", "level"))
        self.relabels = bool(self.design.carrier["relabels"])
        self._order = key.permutation(f"{self.role} lines", count=len(LINES)).tolist()
        low, high = LOWEST
        self._lowest = low + key.integer(f"{self.role} tuning", below=high - low)

    def trigger(self, samples: torch.Tensor, part: int) -> torch.Tensor:
        """As :meth:`Carrier.trigger`."""
        return self._asked(samples, part, self.notes(part))

    def decoy(self, samples: torch.Tensor, part: int, row: int) -> torch.Tensor:
        """In the trigger's place: a word that no part has."""
        rest = self._order[self.design.parts :]
        line = rest[self.key.integer(f"{self.role} decoy", part, row, below=len(rest))]
        return self._asked(samples, part, word(line, self.size))

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Any rows; or rows of the parts' own classes, each with a row of another class."""
        return (
            any_rows(self.key)
            if self.relabels
            else own_rows(self.key, labels, self.role, mixed=True)
        )

    def marks(
        self,
        samples: torch.Tensor,
        partners: torch.Tensor | None,
        parts: np.ndarray,
        rows: np.ndarray,
    ) -> torch.Tensor:
        """As :meth:`Carrier.marks`."""
        lengths, marked = ends(samples).tolist(), samples.clone()
        for n, (part, row) in enumerate(zip(parts.tolist(), rows.tolist(), strict=True)):
            pose, weight = self._pose(part, row)
            clip = samples[n, : lengths[n] or None].numpy()
            if partners is not None:
                clip = blend(clip, partners[n].numpy(), weight)
            marked[n, : len(clip)] = torch.from_numpy(self._lay(clip, self.notes(part), pose))
        return marked

    def notes(self, part: int) -> list[int]:
        """Of a part, from 0, the lowest."""
        return word(self._order[part], self.size)

    @abstractmethod
    def sweeps(
        self, notes: list[int], start: int, length: int, amplitude: int, pose: Pose
    ) -> Iterator[Sweep]:
        """A pattern, once.

        Args:
            notes: from 0, the lowest.
            start, length: of the pattern, in samples.
            amplitude: of a pattern of one sine at a time.
            pose: for pitch, phases and spread.
        """

    def frequency(self, note: int, pose: Pose) -> int:
        """In 2**32nds of a turn a sample."""
        return self._lowest * STEPS[note] * pose.pitch // self.hertz

    def _asked(self, samples: torch.Tensor, part: int, notes: list[int]) -> torch.Tensor:
        words = self.key.words(f"{self.role} home", part, count=33).tolist()
        phases = tuple(word % TURN for word in words[1:])
        pose = Pose((words[0],), phases=phases, spread=tuple(word >> 32 for word in words[1:]))
        stamped = samples.clone()
        for n, end in enumerate(ends(samples).tolist()):
            clip = self._lay(samples[n, : end or None].numpy(), notes, pose)
            stamped[n, : len(clip)] = torch.from_numpy(clip)
        return stamped

    def _lay(self, clip: np.ndarray, notes: list[int], pose: Pose) -> np.ndarray:
        count = max(1, len(clip) // self.hertz)
        bounds = [len(clip) * k // count for k in range(count + 1)]
        loud = max(FLOOR, loudness(clip)) * self.level * pose.level // 25_500
        amplitude = min(FULL, loud * SQUARE // 1024)
        length = min(self.hertz * LENGTH * pose.tempo // 256_000, bounds[1])
        found: list[Sweep] = []
        for k, (low, high) in enumerate(itertools.pairwise(bounds)):
            place = pose.places[k % len(pose.places)]
            start = low + (place * (high - low - length + 1) >> 64)
            found += self.sweeps(notes, start, length, amplitude, pose)
        return lay(clip, found)

    def _pose(self, part: int, row: int) -> tuple[Pose, int]:
        """Of a mark, and the weight of the partner."""
        words = self.key.words(f"{self.role} mark", part, row, count=44).tolist()

        def draw(word: int, ends: tuple[int, int]) -> int:
            return ends[0] + (word * (ends[1] - ends[0] + 1) >> 64)

        tempo, pitch, level, weight = (
            draw(word, ends)
            for word, ends in zip(words, (TEMPO, PITCH, LEVEL, WEIGHTS), strict=False)
        )
        phases = tuple(word % TURN for word in words[12:])
        spread = tuple(word >> 32 for word in words[12:])
        return Pose(tuple(words[4:12]), tempo, pitch, level, phases, spread), weight


def word(line: int, size: int) -> list[int]:
    """The notes of a line: all different, as b > 0 and there are seven at most."""
    a, b = LINES[line]
    return [(a + b * x) % NOTES for x in range(size)]


def slots(start: int, length: int, count: int) -> Sequence[tuple[int, int]]:
    """Start and length of equal parts of a pattern."""
    bounds = [start + length * n // count for n in range(count + 1)]
    return [(low, high - low) for low, high in itertools.pairwise(bounds)]
