"""Folders of watches and verifications made by hand: the answers are, the files are ours."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from datadeed.owner.evidence import records
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.schema import write_private_json
from datadeed.owner.suspects.base import Answer, failure
from datadeed.owner.watch_runs import COULD_NOT_TEST, FORM, STATE, Run, anchor_of, append_run

BEGINS = datetime(2026, 1, 1, 3, tzinfo=UTC)
CANARIES, PARTS = 4, 12
ANSWER = Answer((1,), None, seconds=0.25, attempts=2)


class Suspect:
    """As much of one as a run asks for: its budget, which has a price."""

    def __init__(self, price: float | None = None):
        self.budget = None if price is None else self
        self.cost_per_query = price


class Watch:
    """A watch whose days are made up, one call of :meth:`run` a run."""

    def __init__(self, folder: Path, *, name: str = "thief", price: float | None = None):
        self.folder, self.suspect = folder, Suspect(price)
        self.fixed: dict[str, Any] = {
            "commitment": "c0" * 32,
            "suspect": name,
            "protocol": "json",
            "endpoint": f"http://127.0.0.1/{name}",
            "declared": {"input": None, "output": {"kind": "labels"}},
            "groups": [[0], [1]],
            "blocks": 1,
            "suspects": 2,
            "keys": 1,
        }
        self.days: list[dict[str, Any]] = []
        self.changed_on: list[str] = []

    @property
    def id(self) -> str:
        return anchor_of(self.fixed)

    def run(
        self,
        day: float = 0,
        *,
        up: bool = True,
        changed: bool = False,
        asks: int | None = None,
        word: str = "NO EVIDENCE",
        killed: bool = False,
    ) -> Run | None:
        """A run so many days after the first.

        Args:
            day: may go back.
            up: whether the suspect answers: its canaries, then ``asks`` questions.
            changed: whether a canary is answered otherwise.
            asks: a whole batch by default.
            word: what the evidence says.
            killed: the run ends before it writes its record.
        """
        moment = BEGINS + timedelta(days=day)
        date = moment.date().isoformat()
        asks = (PARTS if up else 0) if asks is None else asks
        clock = patch.object(records, "datetime", standing(moment))
        with clock, QueryLog(self.folder, self.id) as log:
            for number in range(CANARIES + asks):
                probe = number < CANARIES
                log.append(
                    purpose="probe" if probe else "block",
                    part=None if probe else number - CANARIES,
                    row=None if probe else len(self.days),
                    question=f"{number:064x}",
                    answer=Answer((1,), None, seconds=0.25, attempts=2) if up else failure("away"),
                )
            if asks == PARTS:
                self._complete(date)
            self.changed_on += [date] if changed else []
            if killed:
                return None
            state = self._state(date, word if up else COULD_NOT_TEST)
            write_private_json(self.folder / STATE, state)
            return append_run(log, self.suspect, state)

    def _complete(self, date: str) -> None:
        number = len(self.days) + 1
        day = {"day": number, "date": date, "n": PARTS, "hits": number % 3, "failed": 0}
        self.days.append(day | {"log_e": 0.1 * number})

    def _state(self, date: str, word: str) -> dict[str, Any]:
        reason = f"on {date}" if word != COULD_NOT_TEST else "no clean question was answered: away"
        return {
            "form": FORM,
            "fixed": self.fixed,
            "last_run": {"date": date, "word": word, "reason": reason},
            "changed_on": self.changed_on,
            "days": self.days,
            "log_e": self.days[-1]["log_e"] if self.days else 0.0,
            "bar": 2e6,
        }


def standing(moment: datetime) -> type[datetime]:
    """A clock that shows one moment."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return moment

    return Clock


def a_life(folder: Path, *, name: str = "thief", days: int = 3) -> Watch:
    """A watch of some days, with a day on which the suspect was away, and an exchange after it."""
    watch = Watch(folder, name=name, price=0.5)
    for day in range(days):
        watch.run(day)
    watch.run(days, up=False)
    watch.run(days + 1, changed=True)
    return watch


def replaced(run: Run, **change: Any) -> Run:
    """A run as a forger who knows how hashes are made would change it."""
    forged = dataclasses.replace(run, **change)
    return dataclasses.replace(forged, hash=forged.digest())
