"""Which version of a suspect answers: clean questions that come again tell an exchange.

The key's labels have no say in clean questions, and a watch asks a few of them before each day's
marked ones. An exchange between two of these runs shows where any of them is answered otherwise.
"""

from datadeed.owner.evidence.records import Record

SCORE = 0.01  # so far may the first label's score move: arithmetic differs from batch to batch


class Versions:
    """The versions that the answers on record tell apart.

    Attributes:
        changed_on: dates (UTC) on which a clean question was answered otherwise than the time
            before. The suspect was then exchanged, or does not answer alike twice.
    """

    def __init__(self) -> None:
        self.changed_on: list[str] = []
        self._before: dict[str, tuple[tuple[int, ...], float | None]] = {}

    def take(self, record: Record) -> bool:
        """Whether this answer tells another version; failed answers and marked questions do not."""
        if record.purpose != "probe" or record.error:
            return False
        score = record.scores[0] if record.scores else None
        now = (tuple(record.labels[:1]), score)
        before = self._before.get(record.question, now)
        self._before[record.question] = now
        if _alike(before, now):
            return False
        if (date := record.time[:10]) not in self.changed_on[-1:]:
            self.changed_on.append(date)
        return True


def _alike(
    before: tuple[tuple[int, ...], float | None], now: tuple[tuple[int, ...], float | None]
) -> bool:
    if before[0] != now[0]:
        return False
    if before[1] is None or now[1] is None:
        return before[1] is now[1]  # a suspect that gives scores from now on is another one
    return abs(before[1] - now[1]) <= SCORE
