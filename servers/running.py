"""A server's own environment, and the server in it: built once, started, waited for, stopped."""

import contextlib
import hashlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datadeed.errors import DatadeedError

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
READY_SECONDS = 120.0
STOP_SECONDS = 10.0
SHOWN_LINES = 15  # of a log


class ServerError(DatadeedError):
    """A server cannot be built, started or asked."""


@dataclass(frozen=True)
class Server:
    """A kind of server.

    Attributes:
        name: its package, and its folder here: ``server.py``, ``requirements.txt`` and a suspect's
            file for each protocol.
        health: a path that answers 200 when the model is ready.
        protocols: what it is asked by.
    """

    name: str
    health: str
    protocols: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return HERE / self.name

    @cached_property
    def version(self) -> str:
        """The release that its requirements name."""
        text = (self.folder / "requirements.txt").read_text(encoding="utf-8")
        found = re.search(rf"^{self.name}==(\S+)$", text, re.MULTILINE)
        if found is None:
            raise ServerError(f"{self.folder}/requirements.txt pins no {self.name}: add it")
        return found[1]


def build(server: Server) -> Path:
    """The Python of a server's environment, built anew if its requirements changed.

    Raises:
        ServerError: a package cannot be installed.
    """
    requirements = server.folder / "requirements.txt"
    state = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = HERE / ".envs" / server.name
    python, stamp = folder / "bin" / "python", folder / "built-from"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return python
    uv = [str(Path(sys.executable).with_name("uv")), "--quiet"]
    _run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], server)
    _run([*uv, "pip", "sync", "--python", str(python), str(requirements)], server)
    stamp.write_text(state, encoding="utf-8")
    return python


def _run(command: list[str], server: Server) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"{server.name}'s environment cannot be built: {_end(done.stderr)}")


@contextlib.contextmanager
def running(server: Server, python: Path, model: Path, folder: Path) -> Iterator[str]:
    """Serve a model on this machine alone; yields the address, and stops the server at the end.

    Args:
        server: which.
        python: of its environment.
        model: an ONNX file.
        folder: where the server may write; made here.

    Raises:
        ServerError: it does not get ready. The message ends with the last lines of its log.
    """
    folder.mkdir()
    port = _free_port()
    command = [str(python), "-m", f"servers.{server.name}.server", str(model), str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(python, folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that its workers can be stopped too
        )
    try:
        _wait(server, process, port, folder / "log")
        yield f"http://{HOST}:{port}"
    finally:
        _stop(process)


def _environment(python: Path, folder: Path) -> dict[str, str]:
    """What the server may know: neither this user's home nor any of this user's tokens."""
    return {
        "PATH": os.pathsep.join([str(python.parent), os.defpath]),
        "PYTHONPATH": str(HERE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(server: Server, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server says that it is ready."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            reason = f"ended with status {process.returncode} before it was ready"
            break
        if _is_ready(port, server.health):
            return
        time.sleep(0.2)
    else:
        reason = f"was not ready within {READY_SECONDS:g} s"
    raise ServerError(f"{server.name} {reason}:\n{_end(log.read_text(errors='replace'))}")


def _is_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and every process that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-SHOWN_LINES:])
