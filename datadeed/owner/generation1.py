"""Checking evidence of the first generation of keys. Nothing is asked with these any more.

Its questions came one at a time, and its two layers are those of
:mod:`datadeed.verification.proof`. Every number is derived again; its sentences are stated.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from datadeed.errors import EvidenceError
from datadeed.keys.key import GENERATOR, Key
from datadeed.owner.check_answers import Judged
from datadeed.owner.evidence.records import Record
from datadeed.owner.replaying import spans
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import KeyPart

FAILURES_IN_A_ROW = 3  # the last of them stopped a run
Asked = tuple[str, int, int]  # layer, part and row: what names a question


class Judged1(Judged):
    """A folder of evidence of the first generation."""

    form = "datadeed/evidence/1"

    def _rows(self, labels: np.ndarray) -> list[int]:
        proof = Proof(self.key, labels)
        design = self.key.design
        key_rows = proof.key_layer.rows[: design.parts * design.votes]
        pairs = proof.behaviour_layer.pairs[: design.budget, 1]
        return sorted({*map(int, key_rows), *map(int, pairs)})

    @property
    def charges(self) -> bool:
        """Whether questions asked in vain are charged; the earliest release did not."""
        return "in_vain" in self.evidence["queries"]

    def answers(self) -> str:
        """See :meth:`Judged.answers`."""
        counting = counting_records(self.records)
        lost = asked_in_vain(self.records)
        check_repeats(self.records)
        for record in lost:
            self._check_image(self._asked_there(record), record)
        proof = self._fresh()
        taken = self._replay(proof, counting, len(lost) if self.charges else 0, check=True)
        self._compare(self._expected_of(proof, lost))
        if taken != len(counting):
            raise EvidenceError(
                f"the log holds {len(counting)} counted answers, but the key asks only {taken} of "
                "them within its budget"
            )
        failed = sum(bool(record.error) for record in counting.values())
        found = f"{taken} questions are the key's own, and the verdict follows from their answers; "
        found += f"{failed} of them failed; "
        if not lost:
            return found + "none was asked again"
        charged = "charged to the budget" if self.charges else "not charged to the budget then"
        return found + (
            f"{len(lost)} more failed three or more in a row and were asked again, {charged} "
            f"(records {spans(lost)})"
        )

    def _fresh(self) -> Proof:
        suspects = self.evidence["multiplicity"]["suspects"]
        return Proof(self.key, self.pool.labels, suspects=suspects)

    def _replay(
        self, proof: Proof, records: Mapping[Asked, Record], in_vain: int, *, check: bool
    ) -> int:
        """Give a proof the answers that count, as far as they go; returns how many."""
        taken = 0
        while len(proof.curve) + in_vain < self.key.design.budget:
            question = proof.question()
            if question is None:
                break
            record = records.get((question.layer, question.part, question.row))
            if record is None:
                break
            if check:
                self._check_image(question, record)
            proof.answer(record.labels[0] if record.labels else None, failed=bool(record.error))
            taken += 1
        return taken

    def _check_image(self, question: Question, record: Record) -> None:
        image = KeyPart(self.key, question.part).stamp(self.pool.samples[question.row])[0]
        self.check_digest(question, record, image)

    def _asked_there(self, record: Record) -> Question:
        """The question that was asked in vain: the next one after all that the log held then."""
        then = self._fresh()
        self._replay(then, counting_records(self.records[: record.seq]), 0, check=False)
        question = then.question()
        asked = (record.purpose, record.part, record.row)
        if question is None or (question.layer, question.part, question.row) != asked:
            raise EvidenceError(f"record {record.seq} is not the question that the key asks there")
        return question

    def _expected_of(self, proof: Proof, lost: Sequence[Record]) -> dict[str, Any]:
        """The evidence as it must be: what is derived, and what is stated taken as it is."""
        evidence, records = self.evidence, self.records
        word, reason = proof.verdict()
        queries = {
            purpose: sum(record.purpose == purpose for record in records)
            for purpose in ("probe", "key", "behaviour")
        }
        queries["failed"] = sum(bool(record.error) for record in records)
        if self.charges:
            queries["in_vain"] = len(lost)
        anchor = evidence["chain"]["anchor"]
        return {
            **evidence,
            **proof.record(),
            "queries": {
                **queries,
                "from_cache": 0,
                "budget": self.key.design.budget,
                "cost": evidence["queries"]["cost"],
            },
            "chain": {
                "anchor": anchor,
                "head": records[-1].hash if records else anchor,
                "rows": len(records),
            },
            "verdict": evidence["verdict"] | {"word": word, "reason": reason},
        }

    @staticmethod
    def of_key(key: Key) -> dict[str, Any]:
        """See :meth:`Judged.of_key`."""
        return {
            "key": {
                "commitment": key.commitment,
                "generator": GENERATOR,
                "beacon": asdict(key.beacon) if key.beacon else None,
            },
            "design": asdict(key.design) | {"classes": list(key.design.classes)},
            "data": asdict(key.data),
            "pool": asdict(key.pool),
        }


def counting_records(records: Sequence[Record]) -> dict[Asked, Record]:
    """The record that counts for each question: its last one.

    Three failures in a row, or more, do not count, wherever they stand: the suspect was out of
    reach, the run paused, and the one that went on asked again.
    """
    asked = [
        ((record.purpose, record.part, record.row), record)
        for record in records
        if record.part is not None and record.row is not None
    ]
    found: dict[Asked, Record] = {}
    for failed, group in itertools.groupby(asked, key=lambda pair: bool(pair[1].error)):
        row = list(group)
        if not failed or len(row) < FAILURES_IN_A_ROW:
            found.update(row)
    return found


def asked_in_vain(records: Sequence[Record]) -> list[Record]:
    """The records of a proof's questions that do not count, in order."""
    counting = {record.seq for record in counting_records(records).values()}
    return [
        record
        for record in records
        if None not in (record.part, record.row) and record.seq not in counting
    ]


def check_repeats(records: Sequence[Record]) -> None:
    """Check that no question was asked again after its record counted.

    Raises:
        EvidenceError: naming the first record that asks again, or that is neither a clean question
            nor one about a part and a row.
    """
    asked: set[tuple[str, int | None, int | None]] = set()
    for place, record in enumerate(records):
        named = [record.part is not None, record.row is not None]
        if named != [record.purpose != "probe"] * 2:
            raise EvidenceError(f"record {record.seq} of the log is no question of a verification")
        name = (record.purpose, record.part, record.row)
        # What counted is looked up for a repeated question alone: pauses are few.
        if name in asked and name in counting_records(records[:place]):
            raise EvidenceError(
                f"record {record.seq} of the log asks part {record.part} on row {record.row} of "
                "the pool again, although its answer was there: answers may not be chosen among"
            )
        if record.part is not None:
            asked.add(name)
