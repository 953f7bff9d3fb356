"""Giving a proof the answers on record, each about the question that the key asks there.

Every record of a key's question is charged to the budget and none may be asked again, with one
exception. A step may end in questions that failed. Then one clean image is asked about: if it is
answered, the suspect refuses marked images, and the failures count; if it is not, the suspect is
out of reach, the failures count for nothing, and the same questions come again.
"""

from collections.abc import Callable, Iterable, Sequence

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.records import Record
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2


class Replay:
    """Takes a log's records in order.

    Args:
        proof: before its first question.
        on_record: called with the question that a record must be about, before it counts.

    Attributes:
        open: records of the step's last questions, which failed: a clean question decides.
        lost: records that count for nothing.
        taken: how many counted.
    """

    def __init__(
        self,
        proof: Proof2,
        on_record: Callable[[Question, Record], None] = lambda question, record: None,
    ):
        self._proof, self._on_record = proof, on_record
        self.open: list[Record] = []
        self.lost: list[Record] = []
        self.taken = 0

    def take(self, record: Record) -> None:
        """Take the next record.

        Raises:
            EvidenceError: it is about another question than the key asks there.
        """
        if record.purpose == "probe" and record.part is record.row is None:
            self._settle(in_vain=bool(record.error))
            return
        left = self._proof.step()[len(self.open) :]
        asked = (record.purpose, record.part, record.row)
        if not left or (left[0].layer, left[0].part, left[0].row) != asked:
            raise EvidenceError(
                f"record {record.seq} of the log asks part {record.part} on row {record.row} of "
                "the pool, which the key does not ask there: answers may not be chosen among; "
                "start anew in an empty folder"
            )
        self._on_record(left[0], record)
        self.open.append(record)
        if not record.error:
            self._settle(in_vain=False)

    def take_all(self, records: Iterable[Record]) -> None:
        """Take a whole log; what stays open at its end counts for nothing."""
        for record in records:
            self.take(record)
        self._settle(in_vain=True)

    def _settle(self, *, in_vain: bool) -> None:
        if in_vain:
            self._proof.asked_in_vain += len(self.open)
            self.lost += self.open
        else:
            for record in self.open:
                self._proof.answer(record.labels, record.scores, failed=bool(record.error))
            self.taken += len(self.open)
        self.open = []


def spans(records: Sequence[Record]) -> str:
    """Where records stand in their log: "22 to 24, 30"."""
    found: list[list[int]] = []
    for record in records:
        if found and record.seq == found[-1][-1] + 1:
            found[-1].append(record.seq)
        else:
            found.append([record.seq])
    return ", ".join(
        str(span[0]) if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in found
    )
