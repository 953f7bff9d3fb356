"""The command ``datadeed`` in processes that die with the flow, and a Prefect server for flows."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.devices import file_lock
from flows.errors import Interrupted
from flows.guard import guarded
from flows.server import Server
from flows.settings import users_server
from flows.stages import verdict

# -P: a folder named datadeed in the working directory is not the program.
_MAIN = "import sys; from datadeed.cli.main import main; sys.exit(main())"
DATADEED = (sys.executable, "-P", "-c", _MAIN)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status and all that it printed."""

    code: int
    text: str

    @property
    def why(self) -> str:
        """Why it failed, in a line."""
        return verdict(self.text).removeprefix("error: ").removeprefix("could not test: ")


class Commands:
    """Runs sub-commands of ``datadeed``, each under a guard.

    Args:
        workers: how many run at once.
    """

    def __init__(self, workers: int = 1):
        self._room = threading.BoundedSemaphore(workers)
        self._guards: set[subprocess.Popen[bytes]] = set()
        self._stop = threading.Event()

    def run(self, arguments: Sequence[str | Path], log: Path) -> Ended:
        """Run one to its end, its output in ``log``.

        Raises:
            Interrupted: the flow is ending.
        """
        with self._room:
            if self._stop.is_set():
                raise Interrupted(f"{arguments[0]} was not begun")
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as file:
                guard = guarded(
                    [*DATADEED, *map(str, arguments)],
                    env=dict(os.environ),
                    stdout=file,
                    cwd=Path.cwd(),
                )
                self._guards.add(guard)
                if self._stop.is_set():  # set while this guard was on its way into the set
                    self.stop()
                code = guard.wait()
                self._guards.discard(guard)
                if guard.stdin is not None:
                    guard.stdin.close()
        if self._stop.is_set():
            raise Interrupted(f"{arguments[0]} was ended")
        return Ended(code, log.read_text(encoding="utf-8", errors="replace"))

    def stop(self) -> None:
        """End what runs, and let nothing start."""
        self._stop.set()
        for guard in list(self._guards):
            if guard.stdin is not None and not guard.stdin.closed:
                guard.stdin.close()


def say(line: str) -> None:
    """A line for the user, who may be sending standard output elsewhere."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def prefect_server(on_wait: Callable[[str], None] = say) -> Iterator[Server]:
    """The user's Prefect server, or one of our own whose database is in the user's cache folder.

    Our own serves one flow at a time: SQLite has one writer.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "datadeed"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    if users_server():
        with Server(cache) as server:
            yield server
        return

    def tell() -> None:
        on_wait("waiting for another flow of datadeed to end")

    with file_lock(cache / "flow.lock", threading.Event(), tell), Server(cache) as server:
        yield server
