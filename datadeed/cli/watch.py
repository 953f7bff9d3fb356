"""Ask a suspect today's fresh questions; evidence adds up over its whole life.

To be run every day by a scheduler (docs/watch.md). A second run on the same day (UTC) asks nothing,
and a day on which the suspect cannot be asked is no day. Exit codes: 0 EVIDENCE, 3 NO EVIDENCE,
5 could not test. Evidence is a reason to run `datadeed verify`, which alone makes a claim.
"""

import argparse
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.cli.common import add_pool, check_extent, measure, open_pool, read_key, show
from datadeed.errors import EvidenceError

if TYPE_CHECKING:
    import torch

    from datadeed.owner.evidence.log import QueryLog
    from datadeed.owner.release.items import Items
    from datadeed.owner.suspects.base import Suspect
    from datadeed.owner.watching import Watch

FORM, STATE = "datadeed/watch/1", "watch.json"
CODES = {"EVIDENCE": 0, "NO EVIDENCE": 3, "COULD NOT TEST": 5}
CLEAN = 16  # clean questions on the first day, to see that all is wired up
CANARIES = 4  # of them on every later day, to see that the suspect answers, and that it changed


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--suspect", type=Path, required=True, help="its YAML file (docs/suspects.md), or a folder")
    add("--key", type=Path, required=True, help="the owner's secret file")
    add_pool(parser, required=True)
    add("--out", type=Path, required=True, help="the folder of this watch, and of nothing else")
    add("--batch", type=int, default=10, help="questions a day, fixed from the first day on (10)")
    add("--suspects", type=int, default=1, help="suspects watched under this key in all (1)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.cli.main import fail
    from datadeed.owner.asking import OutOfReach
    from datadeed.owner.suspects.base import BudgetSpent, SuspectError
    from datadeed.owner.suspects.opening import open_suspect
    from datadeed.owner.watching import Watch

    key = read_key(options.key)
    pool = open_pool(options)
    watch = Watch(key, pool.labels, batch=options.batch, suspects=options.suspects)
    date = datetime.now(UTC).date().isoformat()
    try:
        suspect = open_suspect(options.suspect, classes=key.design.classes)
    except SuspectError as error:
        return fail(options, f"could not test: {error}", CODES["COULD NOT TEST"])
    error_line = ""
    try:
        with _log(watch, suspect, options.out) as log:
            _check_head(log)
            watch.replay(log.records)
            try:
                _ask(watch, suspect, pool, log, date)
            except (OutOfReach, BudgetSpent, SuspectError) as error:
                error_line = str(error)
            state = write_state(watch, suspect, log, date, error_line)
    finally:
        suspect.close()
    if error_line:
        return fail(options, f"could not test: {error_line}", CODES["COULD NOT TEST"])
    show(options, state, _text(state))
    return CODES[state["word"]]


def _log(watch: "Watch", suspect: "Suspect", folder: Path) -> "QueryLog":
    """The log of a watch, not yet open; its anchor ties it to all that is fixed from day one.

    Raises:
        EvidenceError: the folder's watch was begun otherwise.
    """
    from datadeed.owner.evidence.log import QueryLog

    fixed = fixed_values(watch, suspect)
    stored = read_state(folder)
    for name, value in fixed.items() if stored else ():
        if stored["fixed"].get(name) != value:
            raise EvidenceError(
                f"{folder} holds a watch with {name} {stored['fixed'].get(name)!r}, not {value!r}: "
                "go on with the same, or name another folder for a new watch"
            )
    text = "datadeed watch 1 " + " ".join(f"{name}={fixed[name]}" for name in sorted(fixed))
    return QueryLog(folder, hashlib.sha256(text.encode()).hexdigest())


def fixed_values(watch: "Watch", suspect: "Suspect") -> dict[str, Any]:
    """What may not change during a watch. The model behind the address may."""
    return {
        "commitment": watch.key.commitment,
        "suspect": suspect.name,
        "protocol": suspect.protocol,
        "endpoint": suspect.endpoint,
        "batch": watch.batch,
        "suspects": watch.suspects,
    }


def read_state(folder: Path) -> dict[str, Any]:
    """``watch.json``, or nothing if there is none. Only words in it are used, never numbers of E.

    Raises:
        EvidenceError: it is not a watch's.
    """
    from datadeed.owner.evidence.schema import parse_json, read_limited

    path = folder / STATE
    if not path.exists():
        return {}
    state = parse_json(read_limited(path), path)
    form = state.get("form") if isinstance(state, dict) else None
    if form != FORM or not all(isinstance(state.get(name), dict) for name in ("fixed", "chain")):
        raise EvidenceError(f"{path} is not the state of a watch: remove it, the log has it all")
    return dict(state)


def write_state(
    watch: "Watch", suspect: "Suspect", log: "QueryLog", date: str, error: str
) -> dict[str, Any]:
    """Write ``watch.json``: what the log amounts to, for people and programs that read it."""
    from datadeed.owner.evidence.schema import write_private_json
    from datadeed.owner.watching import changed_on

    word = "COULD NOT TEST" if error else watch.verdict()[0]
    state = {
        "form": FORM,
        "fixed": fixed_values(watch, suspect),
        "kind": suspect.kind,
        "last_run": {"date": date, "word": word, "reason": error or watch.verdict()[1]},
        "fingerprint": suspect.fingerprint(),
        "changed_on": changed_on(log.records),
        "chain": {"anchor": log.anchor, "head": log.head, "rows": len(log.records)},
        **watch.record(),
    }
    write_private_json(log.folder / STATE, state)
    return state


def _ask(watch: "Watch", suspect: "Suspect", pool: "Items", log: "QueryLog", date: str) -> None:
    """Today's clean questions, then today's counted ones; nothing if they were asked today."""
    import torch

    from datadeed.cli.verify import ask_probes
    from datadeed.owner.watching import ask_batch

    questions = watch.questions(date)
    if not questions:
        return
    clean = watch.key.permutation("probe", count=pool.rows)[:CLEAN].tolist()
    found, images = measure(pool, "check pool", {*(question.row for question in questions), *clean})
    check_extent(found, watch.key.pool, "the pool")
    same = [row for row in clean if images[row].shape == images[clean[0]].shape]
    probes = torch.cat([images[row] for row in same])
    if any(record.purpose == "probe" and not record.error for record in log.records):
        ask_canaries(suspect, log, probes[:CANARIES])
    else:
        ask_probes(suspect, log, probes, torch.from_numpy(pool.labels[same]))
    ask_batch(watch, suspect, images, log, date)


def ask_canaries(suspect: "Suspect", log: "QueryLog", images: "torch.Tensor") -> None:
    """Ask a few clean questions again, before any fresh one is spent.

    Raises:
        OutOfReach: none was answered.
        SuspectError: a limit of the suspect's own configuration is spent.
    """
    from datadeed.owner.asking import OutOfReach
    from datadeed.owner.suspects.base import question_digest

    answers = suspect.predict(images)
    for image, answer in zip(images, answers, strict=True):
        digest = question_digest(image)
        log.append(purpose="probe", part=None, row=None, question=digest, answer=answer)
    if all(answer.failed for answer in answers):
        raise OutOfReach(f"no clean question was answered: {answers[0].error}")


def _check_head(log: "QueryLog") -> None:
    """A log that lost its end would be asked the same questions a second time."""
    chain = read_state(log.folder).get("chain", {})
    rows, head = chain.get("rows", 0), chain.get("head")
    if not isinstance(rows, int) or rows < 0:
        raise EvidenceError(f"{log.folder / STATE} is damaged: restore it from a copy")
    if rows and (len(log.records) < rows or log.records[rows - 1].hash != head):
        raise EvidenceError(
            f"{log.path} has lost answers that {STATE} knows of: restore both from one copy"
        )


def _text(state: dict[str, Any]) -> str:
    lines = [
        f"{state['word']}: {state['reason']}",
        f"{state['hits']} hits in {state['n']} questions on {len(state['days'])} days; "
        f"{state['questions_left']} questions left",
    ]
    if state["changed_on"]:
        lines += [f"clean answers last changed on {state['changed_on'][-1]}"]
    if state["word"] == "EVIDENCE":
        lines += ["now run `datadeed verify`: a watch alone is no claim"]
    return "\n".join(lines)
