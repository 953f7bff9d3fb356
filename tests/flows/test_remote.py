"""Finished and unfinished work sent to real remotes, and remotes that refuse."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from dvc.repo import Repo

from flows import remote
from flows.errors import PipelineError

if TYPE_CHECKING:
    from tests.flows.conftest import Repository

New = Callable[[str], "Repository"]

STAGES = """
stages:
  first:
    cmd: echo first >> count && mkdir -p data/studies && date +%N > data/studies/first
    outs: [data/studies/first]
"""
STATE = "data/checkpoints/train/1f/checkpoint.safetensors"


@pytest.fixture
def pair(new_repository: New, monkeypatch: pytest.MonkeyPatch) -> tuple[Repository, Repository]:
    """Two machines; the first one has finished a stage, and begun something else."""
    one, two = new_repository("one"), new_repository("two")
    for name, value in one.environment.items():
        if name.startswith("DVC_"):
            monkeypatch.setenv(name, value)
    for made in (one, two):
        made.write("dvc.yaml", STAGES)
    monkeypatch.chdir(one.root)  # DVC looks for targets there
    with Repo() as repo:
        repo.reproduce()
    one.write(STATE, "epoch 3")
    return one, two


def use(url: str, *repositories: Repository, **options: str) -> None:
    """Make it the default remote, as `dvc remote add --default` does."""
    for made in repositories:
        lines = [f"    {name} = {value}" for name, value in ({"url": url} | options).items()]
        remote = "\n".join(["['remote \"store\"']", *lines])
        made.write(".dvc/config.local", f"[core]\n    remote = store\n{remote}\n")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 of this machine that has a bucket of that name."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="bucket")
    yield address
    server.stop()


def test_a_bucket_gives_what_it_was_given(pair: tuple[Repository, Repository], bucket: str) -> None:
    one, two = pair
    use("s3://bucket/work", one, two, endpointurl=bucket)
    assert remote.default_remote(one.root) == "store"

    said = remote.push(one.root)

    assert "1 files that are finished, and unfinished work of 1 files, 0.0 MB" in said
    taken = remote.last_push(one.root)
    assert remote.pull(two.root) == "took unfinished work of 1 files, 0.0 MB"
    assert two.read(STATE) == "epoch 3"
    assert not (two.root / "data/studies/first").exists()  # DVC's own: it brings that itself
    assert remote.last_push(two.root) == taken is not None
    (one.root / STATE).unlink()  # it was finished
    assert "0 files that are finished, and unfinished work of 0 files" in remote.push(one.root)
    assert remote.pull(two.root) == ""


class Forbidding(BaseHTTPRequestHandler):
    """Answers 403 to whatever S3's client asks."""

    def _answer(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def forbidding() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class TestRefusals:
    """One line, and nothing is lost."""

    def test_a_bucket_that_is_forbidden(
        self, pair: tuple[Repository, Repository], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, _ = pair
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "tests")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with forbidding() as address:
            use("s3://bucket/work", one, endpointurl=address)
            with pytest.raises(PipelineError) as refused:
                remote.push(one.root)
        assert "\n" not in str(refused.value)
        assert one.read(STATE) == "epoch 3"

    def test_a_folder_that_cannot_be_written(
        self, pair: tuple[Repository, Repository], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a flow meets it: in a process of its own."""
        one, _ = pair
        (tmp_path / "file").touch()  # below a file nothing can be written, by root either
        use(str(tmp_path / "file" / "store"), one)
        monkeypatch.setenv("PYTHONPATH", one.environment["PYTHONPATH"])
        said: list[str] = []
        with (tmp_path / "lock").open("w") as lock:
            assert not remote.give(one.root, lock.fileno(), 300, said.append)
        (line,) = said
        assert line.startswith("error: not all was pushed: ")
        assert line.endswith(": it is kept here; python -m flows.remote push goes on")
        assert one.read(STATE) == "epoch 3"

    def test_one_that_hangs_is_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/remote.py").write_text("import time; time.sleep(100)")
        monkeypatch.setenv("PYTHONPATH", "")
        said: list[str] = []
        start = time.monotonic()
        with (tmp_path / "lock").open("w") as lock:
            assert not remote.give(tmp_path, lock.fileno(), 0.5, said.append)
            remote.take(tmp_path, lock.fileno(), 0.5, said.append)
        assert time.monotonic() - start < 60
        assert said == [
            "error: not all was pushed: not done in 0 s: it is kept here; "
            "python -m flows.remote push goes on",
            "unfinished work did not come within 0 s: it starts anew",
        ]

    def test_damage_is_told_and_no_more(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/remote.py").write_text("exit('error: list.json is refused: so it is')")
        monkeypatch.setenv("PYTHONPATH", "")
        said: list[str] = []
        with (tmp_path / "lock").open("w") as lock:
            remote.take(tmp_path, lock.fileno(), None, said.append)
        assert said == ["list.json is refused: so it is: unfinished work starts anew"]


def test_without_a_remote_there_is_none(new_repository: New) -> None:
    assert remote.default_remote(new_repository("alone").root) is None
    assert remote.last_push(Path(os.devnull)) is None
