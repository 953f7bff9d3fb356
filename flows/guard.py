"""Run a command that dies with whoever started it, together with everything it started.

A flow killed with -9 cannot end its stages, and DVC's death does not end the training below it: an
orphan would go on writing files that the next run is writing too. So each stage runs under a guard,
``python guard.py COMMAND ...``: a process in a session of its own, holding one end of a pipe whose
other end only the flow holds. When the flow closes it, or dies of anything at all, the guard ends
the command's process group. It needs the standard library alone and starts in some 50 ms.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

GRACE_SECONDS = 5.0


def guarded(
    command: list[str],
    *,
    env: dict[str, str],
    stdout: IO[bytes],
    cwd: Path,
    keep: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start ``command`` under a guard; close the result's ``stdin`` to end it.

    Args:
        command: the program and its arguments.
        env: its whole environment.
        stdout: where its standard output and error go.
        cwd: where it runs.
        keep: file descriptors (of locks) that stay open until the command is really gone.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, *command],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        pass_fds=keep,
        start_new_session=True,  # out of reach of Ctrl-C, and of a kill of the flow's group
    )


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    """Wait for the pipe to close, then end the child's group: asked first, then made to."""
    sys.stdin.buffer.read()
    # SIGINT: Python's stages end in one line, and DVC ignores it until its command has ended.
    _signal(child.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    _signal(child.pid, signal.SIGKILL)


def main() -> None:
    """Run the command of the command line, and end as it ends (128 + N for signal N)."""
    # Started by cron or with &, all of this would inherit "ignore", and could only be killed.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, process_group=0)
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    code = child.wait()
    # DVC may have been killed alone, by the kernel say: no training outlives it.
    _signal(child.pid, signal.SIGKILL)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
