"""Suspects, days, runs and verdicts, none of which is ever changed or removed.

Written out, not taken from ``tables.py``: that file is of today, this one of the first form.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None
TABLES = {
    "suspects": "id",
    "days": "suspect, day",
    "runs": "suspect, seq",
    "verdicts": "subject, seq",
}
REFUSAL = "rows of a store are never changed or removed"


def upgrade() -> None:
    """Make the tables, and the triggers that keep their rows."""
    _make_tables()
    if op.get_bind().dialect.name == "sqlite":
        _keep_in_sqlite()
    else:
        _keep_in_postgresql()


def _make_tables() -> None:
    op.create_table(
        "suspects",
        *_texts("id", "subject", "name", "protocol", "endpoint", "commitment"),
        *_counts("blocks", "suspects", "keys"),
        *_texts("previous", "hash"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "days",
        *_texts("suspect"),
        *_counts("day"),
        *_texts("date"),
        *_counts("questions", "hits", "failed"),
        *_numbers("log_e"),
        *_texts("previous", "hash"),
        sa.PrimaryKeyConstraint("suspect", "day"),
        sa.ForeignKeyConstraint(["suspect"], ["suspects.id"]),
    )
    op.create_table(
        "runs",
        *_texts("suspect"),
        *_counts("seq"),
        *_texts("time", "date", "word", "reason"),
        *_counts("questions", "failed", "requests"),
        *_numbers("seconds", "cost"),
        sa.Column("changed", sa.Boolean, nullable=False),
        *_numbers("log_e"),
        *_counts("days"),
        *_numbers("bar"),
        *_counts("rows"),
        *_texts("head", "record"),
        *_counts("all_failed", "all_requests"),
        *_numbers("all_seconds", "all_cost"),
        *_counts("answered_in", "error_in", "out_since", "changed_in", nullable=True),
        *_texts("previous", "hash"),
        sa.PrimaryKeyConstraint("suspect", "seq"),
        sa.ForeignKeyConstraint(["suspect"], ["suspects.id"]),
    )
    op.create_table(
        "verdicts",
        *_texts("subject"),
        *_counts("seq"),
        *_texts("name", "protocol", "endpoint", "commitment", "time", "word", "reason"),
        *_numbers("log_e"),
        *_counts("questions", "failed"),
        *_texts("evidence", "previous", "hash"),
        sa.PrimaryKeyConstraint("subject", "seq"),
    )


def _keep_in_sqlite() -> None:
    for table in TABLES:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
    # INSERT OR REPLACE removes a row, by default without asking the trigger above.
    for table, key in TABLES.items():
        same = " AND ".join(f"{column} = NEW.{column}" for column in key.split(", "))
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def _keep_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION datadeed_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION datadeed_refuse()"
        )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _counts(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=nullable) for name in names]


def _numbers(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float(53), nullable=False) for name in names]
