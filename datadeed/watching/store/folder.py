"""From a folder to the rows of a store: all of them are decided by the folder's bytes alone.

What is checked, without the key: the chains of both logs; that their anchor is the digest of what
the watch fixes, so that name, address, commitment and numbers are those that the answers were given
to; that each run's questions, failures, requests, seconds and head are the log's. What is taken as
stated, since it follows from the secret: hits and E; and the words, the bar and the cost. Of a
verification: the form of its evidence, and the chain of its answers. `datadeed reveal` checks the
rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from datadeed.errors import EvidenceError
from datadeed.files import canonical_digest
from datadeed.owner.evidence.fields import is_count, is_digest, short_line
from datadeed.owner.evidence.log import PARQUET, QueryLog, read_parquet
from datadeed.owner.evidence.schema import parse_json, read_evidence, read_limited
from datadeed.owner.watch_runs import (
    COULD_NOT_TEST,
    FORM,
    STATE,
    Run,
    RunLog,
    anchor_of,
    check_against,
)
from datadeed.watching.store.chain import BEGIN, linked
from datadeed.watching.store.tables import DAYS, RUNS, SUSPECTS

EVIDENCE = "evidence.json"
Rows = list[dict[str, Any]]
_TEXTS = {"name": "suspect", "protocol": "protocol", "endpoint": "endpoint"}
_NUMBERS = ("blocks", "suspects", "keys")


@dataclass(frozen=True)
class WatchRows:
    """All rows about one watch, chained: the suspect's, its days' and its runs'."""

    suspect: dict[str, Any]
    days: Rows
    runs: Rows

    def of(self, table: Table) -> Rows:
        """The rows of a table."""
        return {SUSPECTS: [self.suspect], DAYS: self.days, RUNS: self.runs}[table]


def folders_under(root: str | Path) -> tuple[list[Path], list[Path]]:
    """The folders of watches, and those of verifications, in and below a folder, by name.

    Raises:
        EvidenceError: there is no such folder.
    """
    if not Path(root).is_dir():
        raise EvidenceError(f"{root} is no folder: name the one that holds the watches' folders")
    states, evidence = (sorted(Path(root).rglob(name)) for name in (STATE, EVIDENCE))
    return [path.parent for path in states], [path.parent for path in evidence]


def read_watch(folder: Path) -> WatchRows:
    """The rows of a watch's folder; it may be written meanwhile.

    Raises:
        EvidenceError: the folder is none of a watch, lacks its runs, or was changed.
    """
    fixed = _fixed(folder)
    anchor = anchor_of(fixed)
    runs = RunLog.peek(folder, anchor)  # before the queries, which may only be more then
    check_against(runs, QueryLog.peek(folder, anchor), QueryLog(folder, anchor))
    suspect = linked(SUSPECTS, {"id": anchor, **_named(fixed), **_numbers(fixed, folder)}, BEGIN)
    days = [
        {
            "suspect": anchor,
            **{name: day[name] for name in ("day", "date", "hits", "failed", "log_e")},
            "questions": day["n"],
        }
        for run in runs
        for day in run.completed
    ]
    chains = {DAYS: days, RUNS: _run_rows(anchor, runs)}
    return WatchRows(
        suspect, *(list(_chained(table, rows, suspect["hash"])) for table, rows in chains.items())
    )


def read_verdict(folder: Path) -> dict[str, Any]:
    """The row of a verification's folder, but for its place among the subject's verdicts.

    Raises:
        EvidenceError: the evidence is not as its schema promises, or its log was changed.
    """
    found = read_evidence(folder / EVIDENCE)
    chain, suspect, verdict = found["chain"], found["suspect"], found["verdict"]
    records = read_parquet(folder / PARQUET, chain["anchor"])
    if len(records) != chain["rows"] or (records and records[-1].hash != chain["head"]):
        raise EvidenceError(f"{folder / PARQUET} is not the log of {EVIDENCE}: ask for both again")
    stated = suspect | {"suspect": suspect["name"], "commitment": found["key"]["commitment"]}
    return {
        **_named(stated),
        "time": found["made_at"],
        "word": verdict["word"],
        "reason": short_line(verdict["reason"]),
        "log_e": float(found["key_layer"]["log_e"]),
        "questions": len(found["curve"]),
        "failed": found["queries"]["failed"],
        "evidence": canonical_digest(found),
    }


def _fixed(folder: Path) -> dict[str, Any]:
    path = folder / STATE
    state = parse_json(read_limited(path), path)
    fixed = state.get("fixed") if isinstance(state, dict) and state.get("form") == FORM else None
    texts = [fixed.get(name) for name in _TEXTS.values()] if isinstance(fixed, dict) else [None]
    if not isinstance(fixed, dict) or not all(isinstance(text, str) for text in texts):
        raise EvidenceError(f"{path} is not the state of a watch: run `datadeed watch` once more")
    return fixed


def _named(fixed: dict[str, Any]) -> dict[str, Any]:
    """Who is watched, and what a verification of the same has in common with it.

    Raises:
        EvidenceError: the commitment is none.
    """
    texts = {name: short_line(fixed[source]) for name, source in _TEXTS.items()}
    if not is_digest(commitment := fixed.get("commitment")):
        raise EvidenceError("a commitment is 64 hexadecimal digits: take the original folder")
    subject = canonical_digest(["datadeed subject 1", commitment, *texts.values()])
    return {"subject": subject, **texts, "commitment": commitment}


def _numbers(fixed: dict[str, Any], folder: Path) -> dict[str, int]:
    numbers = {name: fixed.get(name) for name in _NUMBERS}
    if not all(is_count(number) for number in numbers.values()):
        raise EvidenceError(f"{folder / STATE}: {numbers} are no numbers: take the original")
    return {name: int(number or 0) for name, number in numbers.items()}


def _chained(
    table: Table, rows: Iterable[dict[str, Any]], previous: str
) -> Iterator[dict[str, Any]]:
    for values in rows:
        row = linked(table, values, previous)
        previous = row["hash"]
        yield row


def _run_rows(suspect: str, runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Runs with the sums up to each, and the numbers of the runs that were the last of a kind."""
    sums = {"failed": 0, "requests": 0, "seconds": 0.0, "cost": 0.0}
    last: dict[str, int | None] = dict.fromkeys(
        ("answered_in", "error_in", "out_since", "changed_in")
    )
    for run in runs:
        stated = run.values()
        sums = {name: so_far + stated[name] for name, so_far in sums.items()}
        if run.questions > run.failed:
            last["answered_in"] = run.seq
        if run.changed:
            last["changed_in"] = run.seq
        if run.word != COULD_NOT_TEST:
            last["out_since"] = None
        else:
            last["error_in"] = run.seq
            last["out_since"] = run.seq if last["out_since"] is None else last["out_since"]
        kept = {name: value for name, value in stated.items() if name in _KEPT}
        totals = {f"all_{name}": value for name, value in sums.items()}
        yield {"suspect": suspect, **kept, **totals, **last, "record": run.hash}


_KEPT = {column.name for column in RUNS.c} - {"suspect", "record", "previous", "hash"}
