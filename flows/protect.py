"""Commit, timestamp and watermark: ``python -m flows.protect SOURCE --out DIR --key KEY``.

Options that this page does not list go to ``datadeed commit``: --pool, --parts, --rate, --beacon
and so on. Stopped at any moment, the same command goes on where it stopped; a key that exists is
never made again. With --beacon it stops after the commitment, and goes on with --beacon-value.
Exit codes: 0 done, 1 an error that one line explains, 2 wrong usage.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datadeed.errors import DatadeedError
from datadeed.files import atomic_path, write_json
from datadeed.owner.evidence.schema import parse_json, read_limited
from flows.commands import Commands, prefect_server, say
from flows.errors import PipelineError, StageFailed

FORM = "datadeed/protect/1"


class StepFailed(StageFailed):
    """A command ended with an exit code of its own."""

    def __init__(self, why: str, code: int):
        super().__init__(why)
        self.code = code


class Protection:
    """The steps, each done once; what was done stands in ``KEY.protect.json``.

    Args:
        options: of the command line.
        design: options for ``datadeed commit``.
    """

    def __init__(self, options: argparse.Namespace, design: list[str]):
        self.options, self._design = options, design
        self.commands = Commands()
        self._state = options.key.with_name(f"{options.key.name}.protect.json")
        self.public = options.commitment or options.key.with_name("commitment.json")

    def commit(self) -> str:
        """Make the key and the commitment, or check that the key was made with these options."""
        made = self._read()
        if self.options.key.exists():
            if made.get("design", []) != self._design and self._design:
                given = " ".join(self._design)
                raise PipelineError(
                    f"{self.options.key} was made otherwise than with {given}: leave these options "
                    "out, or name another key"
                )
            return "done before"
        # Before the key is: a run that is stopped in between finds what the key was made with.
        write_json(self._state, {"form": FORM, "design": self._design, "released": ""})
        self._run("commit", "--commitment", self.public, *self._design)
        return "done"

    def timestamp(self) -> str:
        """Have the commitment stamped, unless it was, or no authority is named."""
        token = self.public.with_suffix(".tsr")
        if token.exists():
            return "done before"
        if self.options.timestamp is None:
            return "left out: no --timestamp URL"
        from datadeed.owner.evidence.timestamp import request_timestamp

        value = parse_json(read_limited(self.public), self.public)
        stamped = request_timestamp(str(value["commitment"]), self.options.timestamp)
        with atomic_path(token) as path:
            path.write_bytes(stamped)
        return "done"

    def watermark(self) -> str:
        """Write the marked copy, unless an earlier run did."""
        out, state = self.options.out, self._read()
        if out.exists() and state.get("released") == str(out.resolve()):
            return "done before"
        value = self.options.beacon_value
        beacon = ["--beacon-value", value] if value else []
        self._run("watermark", "--out", out, *beacon)
        write_json(
            self._state,
            {"form": FORM, "design": state.get("design", []), "released": str(out.resolve())},
        )
        return "done"

    def _run(self, name: str, *more: str | Path) -> None:
        options = self.options
        split = ["--split", options.split] if options.split else []
        log = options.key.with_name(f"{options.key.name}.{name}.log")
        arguments = [name, options.source, "--key", options.key, *split, *more]
        ended = self.commands.run(arguments, log)
        if ended.code:
            raise StepFailed(ended.why, ended.code)

    def _read(self) -> dict[str, Any]:
        if not self._state.exists():
            return {}
        value = parse_json(read_limited(self._state), self._state)
        if not isinstance(value, dict) or value.get("form") != FORM:
            raise PipelineError(f"{self._state} is not what this command wrote: remove it")
        return dict(value)


def protect(protection: Protection, on_step: Callable[[str], None] = say) -> None:
    """Do the steps as tasks of one Prefect flow.

    Raises:
        StepFailed: a command ended with an error.
        DatadeedError: a step could not be done.
    """
    steps = (protection.commit, protection.timestamp, protection.watermark)
    faults: list[DatadeedError] = []
    with prefect_server() as server:
        server.wait()
        from prefect import flow, task  # reads its settings then
        from prefect.cache_policies import NO_CACHE

        @task(name="step", task_run_name="{name}", persist_result=False, cache_policy=NO_CACHE)
        def step(name: str) -> None:
            try:
                on_step(f"{name}: {getattr(protection, name)()}")
            except DatadeedError as error:
                faults.append(error)
                raise

        @flow(name="protect", persist_result=False, validate_parameters=False)
        def protect_dataset(source: str, out: str) -> None:
            for each in steps:
                step(each.__name__)

        try:
            protect_dataset(str(protection.options.source), str(protection.options.out))
        except DatadeedError:
            raise faults[0] from None
        finally:
            protection.commands.stop()


def parser() -> argparse.ArgumentParser:
    """The command line, without the options of ``datadeed commit``."""
    made = argparse.ArgumentParser(
        prog="python -m flows.protect", description=__doc__, allow_abbrev=False
    )
    add = made.add_argument
    add("source", type=Path, metavar="SOURCE", help="the dataset to release")
    add("--split", help="the split to mark, where there are several (train)")
    add("--out", type=Path, required=True, help="the marked copy to make")
    add("--key", type=Path, required=True, help="the secret file, made if it does not exist")
    add("--commitment", type=Path, help="where to write it; beside the key by default")
    add("--timestamp", metavar="URL", help="an RFC 3161 authority that stamps the commitment")
    add("--beacon-value", help="hexadecimal, of the round that the key names")
    return made


def main() -> None:
    """The command."""
    options, design = parser().parse_known_args()
    try:
        protect(Protection(options, design))
    except StepFailed as error:
        say(f"error: {error}")
        sys.exit(error.code)
    except DatadeedError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        say("interrupted: the same command goes on where it stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
