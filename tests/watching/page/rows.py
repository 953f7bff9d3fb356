"""A store with suspects that never were, written row by row."""

import math
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import insert

from datadeed.watching.store.store import Store
from datadeed.watching.store.tables import DAYS, RUNS, SUSPECTS, VERDICTS

FIRST = date(2026, 1, 1)
COMMITMENT, LEVEL = "ab" * 32, 1e-6


def named(number: int) -> str:
    """The id of a suspect."""
    return f"{number:064x}"


def add(
    store: Store,
    number: int,
    name: str,
    log_e: Sequence[float],
    *,
    in_all: int = 4,
    away: int = 0,
    verdict: tuple[str, str] | None = None,
) -> None:
    """A suspect with a day for each ln E, and runs on ``away`` days more that could not test.

    Args:
        store: open.
        number: of the suspect, which gives its id.
        name: its name.
        log_e: ln E after each day.
        in_all: suspects under the key.
        away: last days on which nobody answered.
        verdict: word, and digest of the evidence.
    """
    suspect, bar = named(number), in_all / LEVEL
    link = {"previous": named(0), "hash": named(0)}
    who = {
        "name": name,
        "protocol": "json",
        "endpoint": "http://127.0.0.1:1/ask",
        "commitment": COMMITMENT,
    }
    fixed = {"blocks": 1, "suspects": in_all, "keys": 1}
    days = [
        {"suspect": suspect, "day": day, "date": _date(day), "questions": 12, "hits": 2}
        | {"failed": 1, "log_e": reached, **link}
        for day, reached in enumerate(log_e, 1)
    ]
    runs = [_run(suspect, day, log_e, away, bar) | link for day in range(1, len(log_e) + away + 1)]
    with store.writing(suspect) as connection:
        connection.execute(
            insert(SUSPECTS), {"id": suspect, "subject": suspect, **who, **fixed} | link
        )
        if days:
            connection.execute(insert(DAYS), days)
        connection.execute(insert(RUNS), runs)
        if verdict is not None:
            word, evidence = verdict
            found = {"seq": 0, "time": "2026-03-01T09:00:00.000Z", "word": word, "log_e": 27.0}
            found |= {"reason": "so it is", "questions": 24, "failed": 0, "evidence": evidence}
            connection.execute(insert(VERDICTS), {"subject": suspect, **who, **found} | link)


def _date(day: int) -> str:
    return (FIRST + timedelta(days=day - 1)).isoformat()


def _run(
    suspect: str, day: int, log_e: Sequence[float], away: int, bar: float
) -> dict[str, str | float | bool | None]:
    """A run a day; its sums and numbers are those of all runs up to it."""
    whole = min(day, len(log_e))
    out, reached = day > len(log_e), log_e[whole - 1] if whole else -1.0
    word = "EVIDENCE" if reached >= math.log(bar) else "NO EVIDENCE"
    return {
        "suspect": suspect,
        "seq": day - 1,
        "time": f"{_date(day)}T03:00:12.000Z",
        "date": _date(day),
        "word": "COULD NOT TEST" if out else word,
        "reason": "nobody <b>answers</b>" if out else "so it is",
        "questions": 16,
        "failed": 1,
        "requests": 17,
        "seconds": 2.5,
        "cost": 0.25,
        "changed": False,
        "log_e": reached,
        "days": whole,
        "bar": bar,
        "rows": 16 * day,
        "head": named(0),
        "record": named(0),
        "all_failed": day,
        "all_requests": 17 * day,
        "all_seconds": 2.5 * day,
        "all_cost": 0.25 * day,
        "answered_in": whole - 1 if whole else None,
        "error_in": day - 1 if out else None,
        "out_since": len(log_e) if out else None,
        "changed_in": None,
    }
