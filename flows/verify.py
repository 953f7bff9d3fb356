"""Verify many suspects: ``python -m flows.verify --key KEY --pool POOL --out FOLDER --suspect A``.

Each suspect's evidence goes to FOLDER/NAME, NAME being that of its YAML file. One suspect's failure
stops no other; the same command goes on where it stopped. Exit codes: 0 all could be tested,
5 one could not, 1 an error that one line explains. With --serve CRON: watch them for as long as
this process lives, a few fresh questions a day (docs/watch.md).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datadeed.errors import DatadeedError
from datadeed.owner.evidence.schema import read_evidence
from flows.commands import Commands, Ended, prefect_server, say
from flows.errors import PipelineError
from flows.suspects import COULD_NOT_TEST, Finding, e_value, show, suspects_by_name
from flows.telling import check_address

TESTED = (0, 3, 4)  # datadeed verify: CLAIM, INCONCLUSIVE, NOT SUPPORTED
ALL_TESTED, ONE_NOT_TESTED = 0, 5
PASSED_ON = ("--pool-split", "--sign", "--timestamp", "--roots")  # to datadeed verify


def verify(
    suspects: dict[str, Path],
    out: Path,
    arguments: Sequence[str | Path],
    *,
    workers: int = 2,
) -> list[Finding]:
    """Verify suspects as one Prefect flow, so many at once; returns one finding each.

    Args:
        suspects: name to YAML file or folder.
        out: the folder of the suspects' folders.
        arguments: of ``datadeed verify``, without ``--suspect`` and ``--out``.
        workers: suspects at once.
    """
    commands = Commands(workers)
    findings: list[Finding] = []

    def command(name: str) -> list[str | Path]:
        return ["verify", "--suspect", suspects[name], "--out", out / name, *arguments]

    with prefect_server() as server:
        server.wait()
        from prefect import flow  # reads its settings then

        from flows.fleet import publish, run_each

        @flow(name="verify", persist_result=False, validate_parameters=False)
        def verify_suspects(names: list[str]) -> None:
            ended = run_each(names, command, out / "logs", commands, TESTED)
            findings.extend(finding(name, out / name, ended[name]) for name in names)
            publish(findings, out / "verdicts.csv", "verdicts")

        verify_suspects(list(suspects))
    return findings


def finding(name: str, folder: Path, ended: Ended) -> Finding:
    """What a run of ``datadeed verify`` came to, from its exit code and evidence."""
    if ended.code not in TESTED:
        return Finding(name, COULD_NOT_TEST, note=ended.why)
    try:
        evidence = read_evidence(folder / "evidence.json")
    except DatadeedError as error:
        return Finding(name, COULD_NOT_TEST, note=str(error))
    return Finding(
        name,
        evidence["verdict"]["word"],
        e_value(evidence["key_layer"]["log_e"]),
        str(len(evidence["curve"])),
        evidence["verdict"]["reason"],
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m flows.verify", description=__doc__)
    add = made.add_argument
    add("--suspect", type=Path, action="append", required=True, help="YAML or folder; repeat")
    add("--key", type=Path, required=True, help="the owner's secret file")
    add("--pool", type=Path, required=True, help="the committed pool of images")
    add("--pool-split", help="the split of the pool, where there are several")
    add("--out", type=Path, required=True, help="the folder of the suspects' folders")
    add("--suspects", type=int, help="all suspects under this key, ever (those named here)")
    add("--workers", type=int, default=2, help="suspects at once (2)")
    add("--sign", type=Path, help="sign with this key, which must exist")
    add("--timestamp", type=Path, help="the commitment's timestamp token")
    add("--roots", type=Path, help="certificates of the timestamp authority")
    add("--serve", metavar="CRON", help="watch on this schedule (UTC), such as '0 3 * * *'")
    add("--store", metavar="URL", help="with --serve: a store to share with a team")
    add("--blocks", type=int, help="with --serve: images a day, under every part of the key (1)")
    add("--tell", metavar="URL", help="with --serve: POST there what changed (docs/watch.md)")
    add("--tell-away", type=int, help="with --tell: days out of reach until that is told (3)")
    return made


def _checked(options: argparse.Namespace) -> dict[str, Path]:
    """The suspects by name, and the options that must fit them.

    Raises:
        PipelineError: they do not.
    """
    suspects = suspects_by_name(options.suspect)
    options.suspects = len(suspects) if options.suspects is None else options.suspects
    if options.suspects < len(suspects):
        raise PipelineError(
            f"--suspects {options.suspects} is less than the {len(suspects)} named here: count "
            "every one that was or will be tested under this key"
        )
    if options.workers < 1:
        raise PipelineError(f"--workers {options.workers} makes no sense: give 1 or more")
    if options.sign is not None and not options.sign.exists():
        raise PipelineError(f"{options.sign} does not exist: make it with one `datadeed verify`")
    _check_serving(options)
    return suspects


def _check_serving(options: argparse.Namespace) -> None:
    """The options of --serve, which make sense there alone.

    Raises:
        PipelineError: they do not.
    """
    for name in ("blocks", "store", "tell", "tell_away"):
        if options.serve is None and getattr(options, name) is not None:
            raise PipelineError(f"--{name.replace('_', '-')} is for --serve: leave it out")
    if options.store is not None:
        _check_store(options.store)
    if options.serve is not None and (options.sign or options.timestamp or options.roots):
        raise PipelineError("--serve signs nothing: leave out --sign, --timestamp and --roots")
    if options.tell is not None:
        check_address(options.tell)
    if options.tell_away is not None and options.tell_away < 1:
        raise PipelineError(f"--tell-away {options.tell_away} makes no sense: give 1 or more")


def _check_store(url: str) -> None:
    """A store's URL goes into Prefect's database and the list of processes.

    Raises:
        PipelineError: it holds a password.
    """
    parts = urlsplit(url)
    if parts.password is not None or "password" in parts.query:
        raise PipelineError(
            "--store holds a password: leave it out, and set PGPASSWORD or ~/.pgpass"
        )


def _passed_on(options: argparse.Namespace) -> list[str | Path]:
    """The options that ``datadeed verify`` takes as they are."""
    passed: list[str | Path] = ["--key", options.key, "--pool", options.pool]
    passed += ["--suspects", str(options.suspects)]
    for name in PASSED_ON:
        value: Any = getattr(options, name.strip("-").replace("-", "_"))
        passed += [name, value] if value is not None else []
    return passed


def run(options: argparse.Namespace) -> int:
    """Do what the options say; the return value is the exit code."""
    suspects = _checked(options)
    if options.serve is not None:
        from flows.watch import serve

        serve(suspects, options)
        return 0
    findings = verify(suspects, options.out, _passed_on(options), workers=options.workers)
    show(findings)
    failed = any(found.verdict == COULD_NOT_TEST for found in findings)
    return ONE_NOT_TESTED if failed else ALL_TESTED


def main() -> None:
    """The command."""
    try:
        sys.exit(run(parser().parse_args()))
    except DatadeedError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        say("interrupted: the same command goes on where it stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
