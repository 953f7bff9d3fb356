"""Questions that were asked again: which records do not count, what may not be, what it costs.

One rule: a question whose record counts is never asked again. An answer counts, and so does a
failure, unless it stands in a run of three or more failures: the suspect was out of reach then,
and the same questions come again when it answers. Every record of the key's questions is charged
to the budget, whether it counts or not, so that pauses cannot buy more than the budget.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np

from datadeed.errors import EvidenceError
from datadeed.keys.key import Key
from datadeed.owner.asking import counting_records
from datadeed.owner.evidence.records import Record
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof


class BudgetedProof(Proof):
    """A proof whose budget pays for the questions that were asked in vain as well.

    Attributes:
        in_vain: how many records of the log do not count.
    """

    def __init__(self, key: Key, labels: np.ndarray, *, suspects: int = 1):
        super().__init__(key, labels, suspects=suspects)
        self.in_vain = 0

    def fresh(self) -> Self:
        """The same proof before its first question."""
        made = super().fresh()
        made.in_vain = self.in_vain
        return made

    def question(self) -> Question | None:
        """What to ask next; None when the verdict stands or the budget is spent."""
        if len(self.curve) + self.in_vain >= self.key.design.budget:
            return None
        return super().question()


def asked_in_vain(records: Sequence[Record]) -> list[Record]:
    """The records of a proof's questions that do not count, in order."""
    counting = {record.seq for record in counting_records(list(records)).values()}
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
        if name in asked and name in counting_records(list(records[:place])):
            raise EvidenceError(
                f"record {record.seq} of the log asks part {record.part} on row {record.row} of "
                "the pool again, although its answer was there: answers may not be chosen among; "
                "start anew in an empty folder"
            )
        if record.part is not None:
            asked.add(name)


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
