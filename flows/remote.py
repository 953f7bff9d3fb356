"""DVC's remote, for runs with a budget: ``python -m flows.remote push`` or ``pull``.

``push`` sends what is finished (``dvc push --run-cache``) and what is not (:mod:`flows.shelf`);
``pull`` takes the unfinished work of this scale and code. A flow starts them as processes of their
own, so that a remote that hangs is left when its time is over.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.display import duration
from flows.errors import PipelineError
from flows.guard import guarded
from flows.shelf import Shelf, refusals
from flows.stages import verdict
from flows.unfinished import collect, place

LOGS = Path("data") / "logs"
SECONDS = LOGS / "push-seconds"  # how long the last push took, here or on the machine before


def default_remote(root: Path) -> str | None:
    """The name of DVC's default remote, if there is one."""
    from dvc.config import Config

    name = Config(str(root / ".dvc"))["core"].get("remote")
    return name if isinstance(name, str) else None


def last_push(root: Path) -> float | None:
    """Seconds that the last push took, if that is known."""
    with contextlib.suppress(OSError, ValueError):
        return float((root / SECONDS).read_text(encoding="utf-8"))
    return None


def take(root: Path, lock: int, seconds: float | None, say: Callable[[str], None]) -> None:
    """Take another machine's unfinished work, if there is any; a refusal is said, and no more.

    Args:
        root: the repository.
        lock: descriptor of the flow's lock.
        seconds: after how many to give up; None for never.
        say: told a line.
    """
    code, text = _run(root, lock, "pull", seconds)
    if code is None:
        say(f"unfinished work did not come within {duration(seconds or 0)}: it starts anew")
    elif code:
        say(f"{verdict(text).removeprefix('error: ')}: unfinished work starts anew")
    elif text.strip():
        say(text.strip().splitlines()[-1])


def give(root: Path, lock: int, seconds: float, say: Callable[[str], None]) -> bool:
    """Push what is finished and what is not, as :func:`take`; returns whether all of it was."""
    code, text = _run(root, lock, "push", seconds)
    if code == 0:
        say(text.strip().splitlines()[-1])
        return True
    why = verdict(text).removeprefix("error: ") if code else f"not done in {duration(seconds)}"
    say(f"error: not all was pushed: {why}: it is kept here; python -m flows.remote push goes on")
    return False


def _run(root: Path, lock: int, what: str, seconds: float | None) -> tuple[int | None, str]:
    """This module's command, under a guard: its exit status, None if out of time; its output."""
    path = root / LOGS / f"remote-{what}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as log:
        command = [sys.executable, "-m", "flows.remote", what]
        guard = guarded(command, env=dict(os.environ), stdout=log, cwd=root, keep=(lock,))
    code: int | None = None
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = guard.wait(seconds)
    finally:
        if guard.stdin is not None:
            guard.stdin.close()
        guard.wait()
    return code, path.read_text(encoding="utf-8", errors="replace")


def push(root: Path) -> str:
    """Send everything; returns a line that says what was sent.

    Unfinished work goes first: it is small, and what is finished can be sent again by anyone.

    Raises:
        PipelineError: the remote refuses some of it.
    """
    start = time.monotonic()
    with _opened(root) as repo:
        shelf, refused = _shelf(repo, root), None
        files = collect(root, _tracked(repo, root))
        try:
            shelf.push(root, files)
        except PipelineError as error:  # finished work may pass all the same
            refused = error
        sent = repo.push(run_cache=True)
    if refused is not None:
        raise refused
    seconds = time.monotonic() - start
    shelf.write_list(files, round(seconds, 1))
    _note(root, seconds)
    size = sum(file.size for file in files) / 1e6
    return (
        f"pushed in {duration(seconds)}: {sent} files that are finished, and unfinished work of "
        f"{len(files)} files, {size:.1f} MB"
    )


def pull(root: Path) -> str:
    """Take unfinished work; returns a line that says what came, empty if nothing did.

    Raises:
        PipelineError: what is there is damaged, or does not belong here.
    """
    with _opened(root) as repo:
        shelf = _shelf(repo, root)
        _, seconds = shelf.read_list()
        if seconds is not None:
            _note(root, seconds)
        files = shelf.pull(root)
    size = sum(file.size for file in files) / 1e6
    return f"took unfinished work of {len(files)} files, {size:.1f} MB" if files else ""


@contextlib.contextmanager
def _opened(root: Path) -> Any:
    """DVC's repository; what DVC and its remotes raise becomes a line."""
    from dvc.repo import Repo

    with refusals("DVC's remote"), Repo(str(root), _wait_for_lock=True) as repo:
        yield repo


def _shelf(repo: Any, root: Path) -> Shelf:
    """Where this repository's unfinished work lies in its default remote."""
    remote = repo.cloud.get_remote(command="push")
    return Shelf(remote.fs, remote.fs.join(remote.path, *place(root).split("/")))


def _tracked(repo: Any, root: Path) -> list[str]:
    """All outputs of all stages, relative to the root."""
    paths = (Path(out.fs_path) for stage in repo.index.stages for out in stage.outs)
    return [path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)]


def _note(root: Path, seconds: float) -> None:
    path = root / SECONDS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{seconds:.1f}\n", encoding="utf-8")


def main() -> None:
    """Command line: a line for the user, or nothing where there was nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m flows.remote", description=__doc__)
    parser.add_argument("what", choices=["push", "pull"])
    root = Path.cwd()
    try:
        line = {"push": push, "pull": pull}[parser.parse_args().what](root)
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: run again to go on")
    sys.stdout.write(f"{line}\n" if line else "")


if __name__ == "__main__":
    main()
