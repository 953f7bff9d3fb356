"""Deriving a folder's evidence again from an opened key, the pool and the log."""

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.errors import EvidenceError
from datadeed.keys.generation2 import second_generation
from datadeed.keys.key import Key
from datadeed.owner.asking import PoolSamples, asked_sample, read_pool, rows_needed
from datadeed.owner.clean import Clean, clean_answers, clean_records, questions_of
from datadeed.owner.data import Progress
from datadeed.owner.evidence.build import FORM, anchor_of, assemble, derived, of_key
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.records import Record
from datadeed.owner.evidence.schema import read_evidence
from datadeed.owner.release.rows import Items
from datadeed.owner.replaying import Replay, spans
from datadeed.owner.shown import shown
from datadeed.owner.suspects.base import question_digest
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2

RELATIVE, ABSOLUTE = 1e-9, 1e-9  # by how much numbers may differ by rounding on another machine
# Logarithms and ends of intervals may be near 0; a p-value near 0 is not another one near 0.
NEAR_ZERO = (
    *("log_e", "low", "high", "rate_low", "rate_high"),
    *("log_e_max", "log_e_key", "log_e_behaviour"),  # of the first generation
)
OF_KEY = ("key", "design", "data", "pool")  # sections that the key alone decides


class Judged:
    """A folder of evidence under an opened key; each file is read once.

    Args:
        key: opened.
        folder: of evidence.
        open_samples: opens the pool.
        progress: is told of the rows that are read.
    """

    form = FORM

    def __init__(
        self, key: Key, folder: Path, open_samples: Callable[[], Items], progress: Progress
    ):
        self.key, self.folder = key, folder
        self._open_samples, self._progress = open_samples, progress
        self.sentences = 0  # of what was not tested, that answers() derived; warnings follow

    @cached_property
    def evidence(self) -> dict[str, Any]:
        """As the accuser wrote it.

        Raises:
            EvidenceError: it is none, or of another form than the key's generation.
        """
        found = read_evidence(self.folder / "evidence.json")
        if found["form"] != self.form:
            raise EvidenceError(f"the evidence is of form {found['form']}, and the key of another")
        return found

    @cached_property
    def records(self) -> list[Record]:
        """The query log, which must be of this key and of the suspect that is named."""
        anchor, suspect = self.evidence["chain"]["anchor"], self.evidence["suspect"]
        wanted = anchor_of(self.key.commitment, suspect["fingerprint"], suspect.get("groups"))
        if anchor != wanted:
            raise EvidenceError("the query log belongs to another key or suspect than the evidence")
        return read_parquet(self.folder / PARQUET, anchor)

    @cached_property
    def groups(self) -> list[list[int]]:
        """Of each of the suspect's labels, the key's classes that it stands for."""
        default = [[number] for number in range(len(self.key.design.classes))]
        return list(self.evidence["suspect"].get("groups", default))

    @cached_property
    def pool(self) -> PoolSamples:
        """The pool, which must be the key's."""
        pool = self._open_samples()
        return read_pool(self.key, pool, self._rows(pool.labels), self._progress)

    def _rows(self, labels: np.ndarray) -> list[int]:
        """Every row that the key could ask about."""
        return rows_needed(self.proof(labels))

    def proof(self, labels: np.ndarray) -> Proof2:
        """Before its first question."""
        numbers = self.evidence["multiplicity"]
        return Proof2(
            second_generation(self.key),
            labels,
            groups=self.groups,
            suspects=numbers["suspects"],
            keys=numbers["keys"],
        )

    @cached_property
    def clean(self) -> Clean:
        """What the answers to clean images show, which must be those that the key asks.

        Raises:
            EvidenceError: they are others, or the evidence states something else of them.
        """
        records = clean_records(self.records, questions_of(self.pool.clean))
        found = clean_answers(records, self.pool.clean_labels.numpy(), self.groups)
        if found.record() != self.evidence.get("clean", found.record()):
            raise EvidenceError("the answers do not give what the evidence states as clean")
        return found

    def answers(self) -> str:
        """Every question was the one that the key asks next, and every field follows from the log.

        Raises:
            EvidenceError: naming what differs.
        """
        proof, clean = self.proof(self.pool.labels), self.clean
        proof.clean = (clean.right, clean.answered, clean.asked)

        def check_question(question: Question, record: Record) -> None:
            sample = asked_sample(proof.key, question, self.pool.samples)[0]
            self.check_digest(question, record, sample)

        replay = Replay(proof, check_question)
        replay.take_all(self.records)
        self._compare(self._expected(proof))
        failed = sum(proof.failed.values())
        found = (
            f"{replay.taken} questions are the key's own, and the verdict follows from their "
            f"answers; {failed} of them failed; "
        )
        if not replay.lost:
            return found + "none was asked again"
        return found + (
            f"{len(replay.lost)} more failed while a clean question got no answer either: charged "
            f"to the budget, and asked again (records {spans(replay.lost)})"
        )

    @staticmethod
    def check_digest(question: Question, record: Record, sample: torch.Tensor | str) -> None:
        """Check that a record is about the sample that the key asks about.

        Raises:
            EvidenceError: it is not.
        """
        if record.question != question_digest(sample):
            raise EvidenceError(
                f"record {record.seq} is about another question than the key's part "
                f"{question.part} on row {question.row} of the pool"
            )

    def _expected(self, proof: Proof2) -> dict[str, Any]:
        """The evidence as it must be: what is derived, and what is stated taken as it is."""
        evidence = self.evidence
        dated = evidence["key"]["timestamp"] is not None
        found = derived(proof, self.records, evidence["chain"]["anchor"], dated=dated)
        found["clean"] = self.clean.record()
        if "shown" in evidence:
            found["shown"] = shown(proof.key, self.records, self.pool)
        self.sentences = len(found["verdict"]["not_tested"])
        return assemble(
            found,
            made_at=evidence["made_at"],
            software=evidence["software"],
            suspect=evidence["suspect"],
            timestamp=evidence["key"]["timestamp"],
            cost=evidence["queries"]["cost"],
            warnings=evidence["verdict"]["not_tested"][self.sentences :],
            premises=evidence["premises"],
        )

    def _compare(self, expected: dict[str, Any]) -> None:
        word, stated = expected["verdict"]["word"], self.evidence["verdict"]["word"]
        if word != stated:
            raise EvidenceError(f"the answers give {word}, but the evidence states {stated}")
        rest = {name: value for name, value in self.evidence.items() if name not in OF_KEY}
        wanted = {name: value for name, value in expected.items() if name not in OF_KEY}
        place = difference(wanted, rest)
        if place is not None:
            raise EvidenceError(f"the answers do not give the {place} that the evidence states")

    @staticmethod
    def of_key(key: Key) -> dict[str, Any]:
        """The sections of the evidence that follow from the key alone."""
        return of_key(second_generation(key))


def check_key(key: Key, found: dict[str, Any], evidence: dict[str, Any]) -> None:
    """Check the sections of the evidence that the key alone decides.

    Args:
        key: opened.
        found: these sections, of :meth:`Judged.of_key`.
        evidence: as it is stated.

    Raises:
        EvidenceError: one differs.
    """
    if evidence["key"]["commitment"] != key.commitment:
        raise EvidenceError("the evidence is about another key")
    stated = {name: evidence[name] for name in OF_KEY}
    found["key"]["timestamp"] = evidence["key"]["timestamp"]  # its token is checked by itself
    if "grinding" not in found["key"]:  # sentences of the first generation are stated
        found["key"]["grinding"] = evidence["key"]["grinding"]
    place = difference(found, stated)
    if place is not None:
        raise EvidenceError(f"the evidence states another {place} than was committed")


def difference(found: Any, stated: Any, place: str = "") -> str | None:
    """The first place where two JSON values differ by more than rounding; None if they do not.

    Args:
        found, stated: the values.
        place: where they stand, names and numbers joined by points.
    """
    if isinstance(found, dict) and isinstance(stated, dict):
        names = sorted({*found, *stated})
        return _first(
            [(name, found.get(name, _ABSENT), stated.get(name, _ABSENT)) for name in names], place
        )
    if isinstance(found, list) and isinstance(stated, list):
        if len(found) != len(stated):
            return place
        numbered = zip(map(str, range(len(found))), found, stated, strict=True)
        return _first(list(numbered), place)
    if isinstance(found, float) and type(stated) in (int, float):
        near = ABSOLUTE if place.rpartition(".")[2] in NEAR_ZERO else 0.0
        same = math.isclose(found, stated, rel_tol=RELATIVE, abs_tol=near)
    else:
        same = type(found) is type(stated) and found == stated
    return None if same else place


_ABSENT = object()


def _first(triples: list[tuple[str, Any, Any]], place: str) -> str | None:
    for name, found, stated in triples:
        where = difference(found, stated, f"{place}.{name}" if place else name)
        if where is not None:
            return where
    return None
