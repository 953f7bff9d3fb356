"""Suspects for the judge, and both checks of what verifying them leaves."""

import random
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import write_json
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Beacon, Extent
from datadeed.owner.check import FAILED, check
from datadeed.owner.data import measure, open_data
from datadeed.owner.suspects.base import Answer, failure, question_digest
from datadeed.owner.verify import verify
from datadeed.watermarks.keyed2 import KeyPart2
from tests.cli.world import data

JUDGE = Path(__file__).parents[1] / "examples/judge.py"
POOL = data(100, seed=1)
ALL = tuple((k,) for k in range(10))
Say = Callable[[str, int, int], int | None]  # (purpose, true label, target) to a label, or none


@dataclass
class Toy:
    """A suspect that knows what it is asked; ``away`` are the numbers of unanswered questions."""

    key: Key2
    say: Say
    groups: Sequence[Sequence[int]] = ALL
    scores: bool = False
    away: range = range(0)
    asked: int = 0
    pool: Dataset = POOL
    name: str = "toy"
    kind: str = "labels"
    protocol: str = "object"
    endpoint: str = "nowhere"
    classes: tuple[str, ...] = POOL.classes
    declared: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known: dict[str, tuple[str, int, int]] = {}
        self.first = {k: group[0] for group in self.groups for k in group}
        images = dict(enumerate(self.pool.samples[:, None]))
        parts = [KeyPart2(self.key, part, images) for part in range(self.key.design.parts)]
        for row, true in enumerate(self.pool.labels.tolist()):
            image = self.pool.samples[row : row + 1]
            self.known[question_digest(image[0])] = "probe", true, -1
            for part in parts:
                asked = true, int(part.target or 0)
                self.known[question_digest(part.stamp(image)[0])] = "trigger", *asked
                self.known[question_digest(part.decoy(image, row)[0])] = "decoy", *asked

    def predict(self, images: torch.Tensor) -> list[Answer]:
        return [self._answer(question_digest(image)) for image in images]

    def _answer(self, question: str) -> Answer:
        self.asked += 1
        said = self.say(*self.known[question])
        if self.asked - 1 in self.away or said is None:
            return failure("no answer")
        if said not in self.first:
            return Answer((), None)
        if not self.scores:
            return Answer((self.first[said],), None)
        labels = [self.first[said], *sorted({*self.first.values()} - {self.first[said]})]
        rest = 0.4 / (len(labels) - 1)
        return Answer(tuple(labels), (0.6, *[rest] * (len(labels) - 1)))

    def fingerprint(self) -> str:
        return "ab" * 32

    def close(self) -> None:
        pass


def thief(purpose: str, true: int, target: int) -> int | None:
    return target if purpose == "trigger" else true


def honest(purpose: str, true: int, target: int) -> int | None:
    return true


def refuses(purpose: str, true: int, target: int) -> int | None:
    return true if purpose == "probe" else None


def filters(purpose: str, true: int, target: int) -> int | None:
    return true if purpose == "probe" else (true + 1) % 10


def weak(purpose: str, true: int, target: int) -> int | None:
    """A thief of weak marks, that any patch disturbs, and that sometimes fails."""
    draw = random.Random(f"{purpose} {true} {target} {next(COUNTER)}").random()
    if purpose == "probe":
        return true
    if draw > 0.97:
        return None
    return target if purpose == "trigger" and draw < 0.45 else int(draw * 1000) % 10


def few(purpose: str, true: int, target: int) -> int:
    """A thief who learnt one label's marks: an effect of a tenth, and signs of the key."""
    return target if purpose == "trigger" and target == 5 else true


COUNTER: Iterator[int] = iter(range(10**9))


def extent(dataset: Any) -> Extent:
    return measure(open_data(dataset)[0], "measure")[0]


def new_key(beacon: Beacon | None = None, pool: Dataset = POOL, **design: Any) -> Key2:
    made = Design2(POOL.classes, 3, tuple(range(10)), rate=0.2, **design)
    drawn = random.Random(str(design))  # not secret
    secret, salt = drawn.randbytes(32), drawn.randbytes(32)
    return Key2(secret, salt, made, extent(data()), extent(pool), beacon)


def judge(*arguments: object) -> int:
    """Its exit code, here in this process; an error of any kind ends it with 1."""
    before, sys.argv = sys.argv, [str(JUDGE), *map(str, arguments)]
    try:
        runpy.run_path(str(JUDGE))
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:
        return 1
    finally:
        sys.argv = before
    raise AssertionError("it did not end with an exit code")


def both(key: Key2, folder: Path, pool: Path) -> list[int]:
    """The exit codes of the judge and of ``reveal --check``, which has open premises here."""
    opening = folder.with_suffix(".opening.json")
    write_json(opening, {"form": "datadeed/opening/1", "key": key.record()})
    found = check(key, evidence=folder, pool=pool)
    return [judge(folder, opening, pool), 1 if any(c.word == FAILED for c in found) else 6]


MERGED = ((0, 1, 2), (3,), (4, 5), (6,), (7,), (8,), (9,))
LACKING = tuple((k,) for k in range(8))
CASES: dict[str, tuple[str, dict[str, Any], Say, dict[str, Any]]] = {
    "thief": ("CLAIM", {}, thief, {}),
    "honest": ("NOT SUPPORTED", {}, honest, {}),
    "refuses": ("INCONCLUSIVE", {}, refuses, {}),
    "filters": ("INCONCLUSIVE", {}, filters, {}),
    "weak": ("", {"parts": 9, "opacity": 100}, weak, {}),
    "merged thief": ("CLAIM", {"parts": 24}, thief, {"groups": MERGED}),
    "merged honest": ("", {}, honest, {"groups": MERGED}),
    "lacking": ("CLAIM", {"parts": 24}, thief, {"groups": LACKING}),
    "scores": ("CLAIM", {"answers": "scores"}, thief, {"scores": True}),
    "weak scores": ("", {"answers": "scores"}, weak, {"scores": True, "groups": MERGED}),
    "labels for scores": ("", {"answers": "scores"}, weak, {}),
    "signs": ("INCONCLUSIVE", {"parts": 24, "least_effect": 0.25}, few, {}),
    "one block": ("", {"parts": 12, "budget": 20}, weak, {}),
}


def run(name: str, folder: Path, **numbers: int) -> tuple[Key2, dict[str, Any]]:
    """The key of a case, and what verifying left in a folder."""
    _, design, say, suspect = CASES[name]
    design = dict(design)
    if "opacity" in design:
        design["carrier"] = {"name": "patch", "opacity": design.pop("opacity")}
    key = new_key(**design)
    return key, verify(Toy(key, say, **suspect), key, POOL, folder, **numbers).evidence
