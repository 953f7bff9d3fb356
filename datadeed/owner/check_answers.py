"""Deriving a folder's evidence again from an opened key, the pool and the log."""

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from datadeed.errors import EvidenceError
from datadeed.keys.key import Key
from datadeed.owner.asking import (
    counting_records,
    image_of,
    one_batch,
    probe_rows,
    replay,
    rows_needed,
)
from datadeed.owner.clean import Clean, clean_answers, clean_records, questions_of
from datadeed.owner.data import Progress, check_extent
from datadeed.owner.evidence.build import anchor_of, assemble, derived, of_key
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.records import Record
from datadeed.owner.evidence.schema import read_evidence
from datadeed.owner.pool import measure_pool
from datadeed.owner.release.rows import Items
from datadeed.owner.repeats import BudgetedProof, asked_in_vain, check_repeats, spans
from datadeed.owner.suspects.base import question_digest
from datadeed.verification.layers import Question

RELATIVE, ABSOLUTE = 1e-9, 1e-9  # by how much numbers may differ by rounding on another machine
# Logarithms and ends of intervals may be near 0; a p-value near 0 is not another one near 0.
NEAR_ZERO = ("log_e", "log_e_max", "log_e_key", "log_e_behaviour", "low", "high")
OF_KEY = ("key", "design", "data", "pool")  # sections that the key alone decides


class Judged:
    """A folder of evidence under an opened key; each file is read once.

    Args:
        key: opened.
        folder: of evidence.
        open_images: opens the pool.
        progress: is told of the rows that are read.
    """

    def __init__(
        self, key: Key, folder: Path, open_images: Callable[[], Items], progress: Progress
    ):
        self.key, self.folder = key, folder
        self._open_images, self._progress = open_images, progress
        self.sentences = 0  # of what was not tested, that answers() derived; warnings follow

    @cached_property
    def evidence(self) -> dict[str, Any]:
        """As the accuser wrote it."""
        return read_evidence(self.folder / "evidence.json")

    @cached_property
    def records(self) -> list[Record]:
        """The query log, which must be of this key and of the suspect that is named."""
        anchor = self.evidence["chain"]["anchor"]
        if anchor != anchor_of(self.key.commitment, self.evidence["suspect"]["fingerprint"]):
            raise EvidenceError("the query log belongs to another key or suspect than the evidence")
        return read_parquet(self.folder / PARQUET, anchor)

    @cached_property
    def _pool(self) -> tuple[BudgetedProof, dict[int, torch.Tensor], list[int], int]:
        """The proof before its first question; images; clean rows; how many rows are repeated."""
        pool = self._open_images()
        suspects = self.evidence["multiplicity"]["suspects"]
        proof = BudgetedProof(self.key, pool.labels, suspects=suspects)
        if not self.earlier:
            proof.in_vain = len(asked_in_vain(self.records))
        clean = probe_rows(self.key, pool.rows)
        wanted = {*rows_needed(proof), *clean}
        found, images, repeated = measure_pool(pool, "check pool", wanted, progress=self._progress)
        check_extent(found, self.key.pool, "the pool")
        self._labels = pool.labels
        return proof, images, clean, repeated

    @property
    def earlier(self) -> bool:
        """Whether an earlier release made the evidence: other sentences, and free repetitions."""
        return "in_vain" not in self.evidence["queries"]

    @property
    def repeated(self) -> int:
        """How many rows of the pool hold an image that stands in it before."""
        return self._pool[3]

    @cached_property
    def clean(self) -> Clean:
        """What the answers to clean images show, which must be those that the key asks.

        Raises:
            EvidenceError: they are others, or the evidence states something else of them.
        """
        _, images, rows, _ = self._pool
        batch, labels = one_batch(rows, images, self._labels)
        records = clean_records(self.records, questions_of(batch))
        found = clean_answers(records, labels.numpy())
        if found.record() != self.evidence.get("clean", found.record()):
            raise EvidenceError("the answers do not give what the evidence states as clean")
        return found

    def answers(self) -> str:
        """Every question was the one that the key asks next, and every field follows from the log.

        Raises:
            EvidenceError: naming what differs.
        """
        proof, images = self._pool[:2]
        check_repeats(self.records)

        def check_question(question: Question, record: Record) -> None:
            if record.question != question_digest(image_of(self.key, question, images)[0]):
                raise EvidenceError(
                    f"record {record.seq} is about another image than the key's part "
                    f"{question.part} on row {question.row} of the pool"
                )

        for record in asked_in_vain(self.records):
            check_question(self._asked_there(proof, record), record)
        counting = counting_records(self.records)
        replayed = proof.fresh()
        taken = replay(replayed, counting, check_question)
        self._compare(self._expected(replayed))
        if taken != len(counting):
            raise EvidenceError(
                f"the log holds {len(counting)} counted answers, but the key asks only {taken} of "
                "them within its budget"
            )
        failed = sum(bool(record.error) for record in counting.values())
        return (
            f"{taken} questions are the key's own, and the verdict follows from their answers; "
            f"{failed} of them failed; {self._in_vain()}"
        )

    def _asked_there(self, proof: BudgetedProof, record: Record) -> Question:
        """The question that was asked in vain: the next one after all that the log held then."""
        then = proof.fresh()
        then.in_vain = 0
        replay(then, counting_records(self.records[: record.seq]))
        question = then.question()
        asked = (record.purpose, record.part, record.row)
        if question is None or (question.layer, question.part, question.row) != asked:
            raise EvidenceError(f"record {record.seq} is not the question that the key asks there")
        return question

    def _in_vain(self) -> str:
        """Which records do not count."""
        lost = asked_in_vain(self.records)
        if not lost:
            return "none was asked again"
        charged = "not charged to the budget then" if self.earlier else "charged to the budget"
        return (
            f"{len(lost)} more failed three or more in a row and were asked again, {charged} "
            f"(records {spans(lost)})"
        )

    def _expected(self, proof: BudgetedProof) -> dict[str, Any]:
        """The evidence as it must be: what is derived, and what is stated taken as it is."""
        evidence = self.evidence
        dated = evidence["key"]["timestamp"] is not None
        found = derived(proof, self.records, evidence["suspect"]["fingerprint"], dated=dated)
        if "clean" in evidence:
            found["clean"] = evidence["clean"]  # compared in its own check
        if self.earlier:
            del found["queries"]["in_vain"]
            found["key"]["grinding"] = evidence["key"]["grinding"]
            found["verdict"] |= {"tested": evidence["verdict"]["tested"], "not_tested": []}
        self.sentences = len(found["verdict"]["not_tested"])
        return assemble(
            found,
            made_at=evidence["made_at"],
            software=evidence["software"],
            suspect=evidence["suspect"],
            timestamp=evidence["key"]["timestamp"],
            cost=evidence["queries"]["cost"],
            warnings=evidence["verdict"]["not_tested"][self.sentences :],
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


def check_key(key: Key, evidence: dict[str, Any]) -> None:
    """Check the sections of the evidence that the key alone decides.

    Raises:
        EvidenceError: one differs.
    """
    found = of_key(key)
    if evidence["key"]["commitment"] != key.commitment:
        raise EvidenceError("the evidence is about another key")
    stated = {name: evidence[name] for name in OF_KEY}
    found["key"]["timestamp"] = evidence["key"]["timestamp"]  # its token is checked by itself
    if "in_vain" not in evidence["queries"]:
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
