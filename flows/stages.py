"""One stage, run by DVC in a process of its own, and what to make of its end."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from flows.devices import Pool
from flows.display import Board
from flows.errors import Interrupted, StageFailed, TransientFault
from flows.graph import Outcome
from flows.guard import guarded

# Seen in a log, these may be gone the next time; any other failure is the stage's own.
_TRANSIENT = re.compile(
    r"""
    exited\ with\ (?:-\d+|137)$                  # killed: by the kernel for memory, most of all
    | Unable\ to\ acquire\ lock | \bis\ busy,\ it\ is\ being\ blocked\ by
    | (?:CUDA|HIP)(?:\ error:)?\ out\ of\ memory | CUDNN_STATUS_ALLOC_FAILED
    | uncorrectable\ ECC\ error | CUDA_ERROR_ECC_UNCORRECTABLE
    """,
    re.VERBOSE | re.MULTILINE,
)
# Seconds before the second and the third attempt; waited for here, since Prefect's own wait
# would not end on Ctrl-C.
RETRY_DELAYS = (2.0, 20.0)
_CACHED = "is cached - skipping run, checking out outputs"
_UNCHANGED = "didn't change, skipping"


def safe_name(address: str) -> str:
    """A file name for an address: ``papers/dvbw/dvc.yaml:train@a`` -> ``papers-dvbw-train@a``."""
    return re.sub(r"[^\w.@+=-]+", "-", address.replace("/dvc.yaml:", "-"))


def log_file(address: str) -> Path:
    """Where a stage's output goes, relative to the repository."""
    return Path("data") / "logs" / f"{safe_name(address)}.log"


def verdict(log: str) -> str:
    """Why a failed stage failed, in a line: its own ``error:`` line, or the last that tells."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("error:")]
    dvcs = [line for line in lines if line.startswith("ERROR:")]
    return (own or dvcs or lines or ["no output"])[-1]


class Runner:
    """Runs stages, each in a free slot, and remembers how they ended.

    Args:
        root: the repository, which must be the working directory.
        pool: the slots.
        board: who is told.
        flags: of `dvc repro`, such as --force.
        flow_lock: descriptor of the flow's lock, which a stage outliving the flow goes on holding.
    """

    def __init__(
        self, root: Path, pool: Pool, board: Board, *, flags: Sequence[str] = (), flow_lock: int
    ):
        self.root, self._pool, self._board, self._flags = root, pool, board, flags
        self._flow_lock = flow_lock
        self._stop = threading.Event()
        self._guards: set[subprocess.Popen[bytes]] = set()
        self._attempts: dict[str, int] = {}
        self._progress = Path(tempfile.mkdtemp(prefix="datadeed-progress-"))
        self.outcomes: dict[str, Outcome] = {}

    def run(self, address: str) -> str:
        """Bring one stage up to date; returns the state it ended in.

        Raises:
            TransientFault: it failed in a way that may pass.
            StageFailed: it failed for good.
            Interrupted: the flow is ending.
        """
        attempt = self._attempts[address] = self._attempts.get(address, 0) + 1
        if attempt > 1:
            self.outcomes.pop(address, None)
            self._stop.wait(RETRY_DELAYS[attempt - 2])
        status = self._progress / f"{safe_name(address)}.json"
        self._board.started(address, status)
        with self._pool.take(self._stop, lambda name: self._board.waiting(address, name)) as taken:
            slot, locks = taken
            start = time.monotonic()
            environment = os.environ | slot.environment | {"DATADEED_PROGRESS": str(status)}
            # `python` in a stage's command is this Python, also where its venv is not activated.
            folder = str(Path(sys.executable).parent)
            environment["PATH"] = os.pathsep.join([folder, environment.get("PATH", os.defpath)])
            code, text = self._execute(address, attempt, environment, locks)
        seconds = time.monotonic() - start
        status.unlink(missing_ok=True)
        if self._stop.is_set() and code != 0:
            raise Interrupted(f"{address} was ended")
        if code == 0:
            ends = {_CACHED: "restored", _UNCHANGED: "up to date"}
            state = next((state for mark, state in ends.items() if mark in text), "done")
            self.outcomes[address] = Outcome(address, state, seconds)
            return state
        why = verdict(text)
        self.outcomes[address] = Outcome(address, "failed", seconds, why)
        killed = 128 < code <= 192  # the guard's way to say that DVC itself died of a signal
        if attempt <= len(RETRY_DELAYS) and (killed or _TRANSIENT.search(text)):
            self._board.retrying(address, why, RETRY_DELAYS[attempt - 1])
            raise TransientFault(why)
        raise StageFailed(why)

    @property
    def stopped(self) -> bool:
        """Whether nothing is to start any more."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End what runs, and let nothing start."""
        self._stop.set()
        for guard in list(self._guards):
            if guard.stdin is not None and not guard.stdin.closed:
                guard.stdin.close()

    def _execute(
        self, address: str, attempt: int, environment: dict[str, str], locks: tuple[int, ...]
    ) -> tuple[int, str]:
        """Run DVC on the stage; gives its exit status and this attempt's output."""
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item"]
        path = self.root / log_file(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if attempt == 1 else "ab") as log:
            if attempt > 1:
                log.write(f"\n--- attempt {attempt}\n".encode())
                log.flush()
            begin = log.tell()
            guard = guarded(
                [*command, *self._flags, address],
                env=environment,
                stdout=log,
                cwd=self.root,
                keep=(self._flow_lock, *locks),
            )
            self._guards.add(guard)
            if self._stop.is_set():  # it was set while this guard was on its way into the set
                self.stop()
            code = guard.wait()
            self._guards.discard(guard)
            if guard.stdin is not None:
                guard.stdin.close()
        with path.open("rb") as log:
            log.seek(begin)
            return code, log.read().decode(errors="replace")
