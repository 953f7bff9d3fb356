"""The tables as they are now; ``migrations/`` holds how they came to be so."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()


def _count(name: str, *, key: bool = False, nullable: bool = False) -> Column[int]:
    return Column(
        name, BigInteger, primary_key=key, nullable=nullable, autoincrement=False if key else "auto"
    )


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _number(name: str) -> Column[float]:
    return Column(name, Float(53), nullable=False)


def _of_suspect() -> Column[str]:
    return Column("suspect", Text, ForeignKey("suspects.id"), primary_key=True, nullable=False)


def _link() -> tuple[Column[str], Column[str]]:
    """Hash of the row before, and of this one (:mod:`datadeed.watching.store.chain`)."""
    return _text("previous"), _text("hash")


SUSPECTS = Table(
    "suspects",
    METADATA,
    _text("id", key=True),
    *map(_text, ("subject", "name", "protocol", "endpoint", "commitment")),
    *map(_count, ("blocks", "suspects", "keys")),
    *_link(),
)
DAYS = Table(
    "days",
    METADATA,
    _of_suspect(),
    _count("day", key=True),
    _text("date"),
    *map(_count, ("questions", "hits", "failed")),
    _number("log_e"),
    *_link(),
)
RUNS = Table(
    "runs",
    METADATA,
    _of_suspect(),
    _count("seq", key=True),
    *map(_text, ("time", "date", "word", "reason")),
    *map(_count, ("questions", "failed", "requests")),
    *map(_number, ("seconds", "cost")),
    Column("changed", Boolean, nullable=False),
    _number("log_e"),
    _count("days"),
    _number("bar"),
    _count("rows"),
    *map(_text, ("head", "record")),
    # Sums over all runs up to this one, so that the last one tells them without reading the others.
    *map(_count, ("all_failed", "all_requests")),
    *map(_number, ("all_seconds", "all_cost")),
    # Numbers of runs up to this one: the last with an answer, the last that could not test, the
    # first of those that could not test in a row up to here, the last that saw an exchange.
    *(
        _count(name, nullable=True)
        for name in ("answered_in", "error_in", "out_since", "changed_in")
    ),
    *_link(),
)
VERDICTS = Table(
    "verdicts",
    METADATA,
    _text("subject", key=True),
    _count("seq", key=True),
    *map(_text, ("name", "protocol", "endpoint", "commitment", "time", "word", "reason")),
    _number("log_e"),
    *map(_count, ("questions", "failed")),
    _text("evidence"),
    *_link(),
)
TABLES = (SUSPECTS, DAYS, RUNS, VERDICTS)
