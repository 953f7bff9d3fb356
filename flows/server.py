"""A Prefect server for as long as one flow lives, when the user runs none.

Prefect starts one by itself, but late (after its own import), silently orphaned when the flow is
killed, noisy, and with its database in the user's home. This one starts before anything else is
imported, dies with the flow, logs to a file, and keeps its database in ``.dvc/tmp/prefect``.

``python -m flows.server`` prepares that database, which takes some 10 s the first time only.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from flows.errors import PipelineError
from flows.guard import guarded
from flows.settings import server_environment, users_server

STARTUP_SECONDS = 180.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask_directly(*hosts: str) -> None:
    """Keep this process and those it starts from asking some hosts through a proxy.

    What the environment says of other hosts stays. Both spellings of its variable are set: of two
    that differ, some clients read the one and some the other.
    """
    names = ("no_proxy", "NO_PROXY")
    known = [host.strip() for name in names for host in os.environ.get(name, "").split(",")]
    listed = ",".join(dict.fromkeys(filter(None, [*known, *hosts])))
    os.environ.update(dict.fromkeys(names, listed))


class Server:
    """Start at once, ``wait`` before the first flow; nothing happens where the user has a server.

    Args:
        root: the repository, or any folder that may hold the server's database.
    """

    def __init__(self, root: Path):
        self._process: subprocess.Popen[bytes] | None = None
        within = root / ".dvc" / "tmp" if (root / ".dvc").is_dir() else root
        self.log = within / "prefect" / "server.log"
        if users_server():
            return
        home = self.log.parent
        home.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api"
        serve = "-m uvicorn --factory prefect.server.api.server:create_app --log-level error"
        command = [sys.executable, *serve.split(), "--host", "127.0.0.1", "--port", str(port)]
        ask_directly("127.0.0.1", "localhost")
        environment = server_environment(home) | {"PREFECT__SERVER_EPHEMERAL": "1"}
        with self.log.open("wb") as log:
            self._process = guarded(command, env=environment, stdout=log, cwd=root)
        # For this process's own import of Prefect, still to come.
        os.environ["PREFECT_API_URL"] = self._url
        os.environ.setdefault("PREFECT_HOME", str(home))

    def wait(self) -> None:
        """Return once the server answers.

        Raises:
            PipelineError: it ended, or was not up in time.
        """
        if self._process is None:
            return
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise PipelineError(f"the Prefect server did not start: see {self.log}")
            try:
                with _direct.open(f"{self._url}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise PipelineError(
            f"the Prefect server was not up after {STARTUP_SECONDS:.0f} s: see {self.log}, "
            "or start one with `prefect server start` and set PREFECT_API_URL"
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.stdin is not None:
            os.environ.pop("PREFECT_API_URL", None)
            self._process.stdin.close()  # its guard ends it
            self._process.wait()


def prepare(root: Path) -> None:
    """Make the database of our own server, so that the first flow need not."""
    with Server(root) as server:
        server.wait()


if __name__ == "__main__":
    prepare(Path.cwd())
