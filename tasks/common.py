"""What every stage shares: parameters, error lines, progress, and where artifacts live.

A stage is ``python -m tasks.NAME ...``, run from the repository's root. It imports neither Prefect
nor DVC. When ``DATADEED_PROGRESS`` names a file, the stage keeps a line of JSON there, which
``flows`` shows in its table: ``{"fraction": 0.4, "text": "...", "seconds_left": 12.0}``.
"""

import argparse
import functools
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from tqdm import tqdm

from datadeed.errors import DatadeedError, ParameterError
from papers.base import Case

DATA = Path("data")
LINE_EVERY = 30.0  # seconds between lines where there is no terminal for a bar


def parameters(*keys: str, file: str | Path = "params.yaml") -> Any:
    """The entry of a parameter file at ``keys``.

    Raises:
        ParameterError: the file or the entry is missing, or the file is not YAML.
    """
    try:
        value = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParameterError(f"{file} does not exist: run from the repository's root") from error
    except yaml.YAMLError as error:
        raise ParameterError(f"{file} is not valid YAML: {str(error).splitlines()[0]}") from error
    for depth, key in enumerate(keys):
        if not isinstance(value, dict) or key not in value:
            raise ParameterError(
                f"{file} has no entry {'.'.join(keys[: depth + 1])!r}: add it, or name another"
            )
        value = value[key]
    return value


def stage(main: Callable[[], None]) -> Callable[[], None]:
    """Make ``main`` end with one line and status 1 on an error a user can act on."""

    @functools.wraps(main)
    def guarded() -> None:
        try:
            main()
        except DatadeedError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted: run again to go on from the last checkpoint")

    return guarded


def set_threads() -> int:
    """Use the number of CPU threads that the parameters fix, since results depend on it."""
    threads = parameters("threads")
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def paper_module(paper: str, name: str) -> Any:
    """A module of a paper, imported, with none of its others.

    Raises:
        ParameterError: there is no such paper, or it has no such module.
    """
    try:
        return importlib.import_module(f"papers.{paper}.{name}")
    except ModuleNotFoundError as error:
        if error.name not in (f"papers.{paper}", f"papers.{paper}.{name}"):
            raise
        raise ParameterError(
            f"papers/{paper}/{name}.py does not exist: name a folder of papers/ that has it"
        ) from error


def case_arguments(description: str | None) -> tuple[str, Case]:
    """A paper's folder and one of its cells, of the command line."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("paper", "dataset", "network", "watermark"):
        parser.add_argument(name)
    parser.add_argument("seed", type=int)
    values = parser.parse_args()
    return values.paper, Case(values.dataset, values.network, values.watermark, values.seed)


def model_arguments(description: str | None) -> tuple[str, str, str, int]:
    """Dataset, network, watermark ("none" for an honest model) and seed, of the command line."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("dataset", "network", "watermark"):
        parser.add_argument(name)
    parser.add_argument("seed", type=int)
    values = parser.parse_args()
    return values.dataset, values.network, values.watermark, values.seed


class Progress:
    """A bar on a terminal, a line now and then elsewhere, and a status file for the flow.

    Args:
        total: how many units the work has.
        unit: their name, for the rate.
        text: what is being done.
    """

    def __init__(self, total: int, unit: str, text: str):
        self.total, self.text = max(total, 1), text
        self._bar = tqdm(
            total=total, unit=f" {unit}", desc=text, unit_scale=True, disable=None, leave=False
        )
        self._status = os.environ.get("DATADEED_PROGRESS")
        self._start = self._told = self._printed = time.monotonic()
        self._done = self._resumed = 0

    def update(self, done: int, note: str = "", *, resumed: bool = False) -> None:
        """``done`` units are done in all; ``resumed`` ones cost this process no time."""
        self._bar.update(done - self._done)
        self._bar.set_postfix_str(note, refresh=False)
        self._done = done
        if resumed:
            self._resumed = done
        now = time.monotonic()
        if now - self._told < 0.5 and done < self.total:
            return
        self._told = now
        rate = (done - self._resumed) / max(now - self._start, 1e-9)
        left = (self.total - done) / rate if rate else None
        if self._bar.disable and now - self._printed > LINE_EVERY:
            self._printed = now
            ahead = f", about {left:.0f} s left" if left else ""
            self.say(f"{self.text}: {done / self.total:.0%}, {note}{ahead}")
        if self._status:
            line = {"fraction": done / self.total, "text": note, "seconds_left": left}
            temporary = f"{self._status}.part"
            Path(temporary).write_text(json.dumps(line), encoding="utf-8")
            os.replace(temporary, self._status)

    def say(self, line: str) -> None:
        """Print a line without breaking the bar."""
        self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
