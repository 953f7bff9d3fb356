"""A temporary DVC repository, and one Prefect server for all the tests that run a flow."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.server import Server
from tests.flows.hook import Hook, listening

SOURCE = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """A job in the background of a shell ignores interrupts, and so would all it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Repository:
    """A DVC repository whose stages note each of their runs in the file ``count``."""

    root: Path
    environment: dict[str, str]

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        """Read one; what is missing is empty."""
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def counted(self) -> list[str]:
        """What ran, in order."""
        return self.read("count").split()

    def dvc(self, *arguments: str) -> str:
        """Run DVC in it."""
        command = [sys.executable, "-m", "dvc", *arguments]
        ran = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=True
        )
        return ran.stdout

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start ``python -m flows.reproduce`` in it, as a user would."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows.reproduce", *arguments],
            cwd=self.root,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def reproduce(self, *arguments: str) -> tuple[int, str]:
        """Run it to its end: the exit status, and what it said."""
        flow = self.start(*arguments)
        _, said = flow.communicate(timeout=300)
        return flow.returncode, said


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the tests' own, with a database of its own."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    home = tmp_path_factory.mktemp("prefect")
    os.environ |= {"HOME": str(home), "PREFECT_HOME": str(home)}
    with Server(home) as server:
        os.environ["HOME"] = before.get("HOME", str(home))
        yield server
    os.environ.clear()
    os.environ |= before


@pytest.fixture(scope="session")
def _empty_repository(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: Server
) -> Repository:
    root = tmp_path_factory.mktemp("template")
    environment = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path_factory.mktemp("dvc-site")),
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path_factory.mktemp("dvc-config")),
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    repository = Repository(root, environment)
    repository.dvc("init", "-q")
    repository.dvc("config", "core.check_update", "false")
    repository.write("scales/lite.yaml", "seeds: [1, 2]\nscale: lite\nresults: results\n")
    repository.write("scales/paper.yaml", "seeds: [1, 2]\nscale: paper\nresults: results\n")
    (root / "params.yaml").symlink_to("scales/lite.yaml")
    return repository


@pytest.fixture
def new_repository(_empty_repository: Repository, tmp_path: Path) -> Callable[[str], Repository]:
    """Make a repository, with two scales and no stages yet."""

    def make(name: str) -> Repository:
        root = tmp_path / name
        shutil.copytree(_empty_repository.root, root, symlinks=True)
        return Repository(root, _empty_repository.environment)

    return make


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook that ends with its test."""
    with listening() as server:
        yield server
