"""Worlds for the commands' tests: made once, copied for each test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.world import World, honest, thief
from tests.owner.suspects.fakes import Handler, Seen, Server, serve


@pytest.fixture(scope="session")
def _marked(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world")).make()
    assert world.commit().code == 0
    assert world.watermark().code == 0
    world.recorded(thief, "thief")
    world.recorded(honest, "honest")
    return world


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATADEED_PASSPHRASE", raising=False)


@pytest.fixture
def world(_marked: World, tmp_path: Path) -> World:
    """Data, key, release and the recorded suspects ``thief.yaml`` and ``honest.yaml``."""
    shutil.copytree(_marked.root, tmp_path / "world")
    return World(tmp_path / "world")


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """Data and a pool, no key yet."""
    return World(tmp_path).make()


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page takes longest to make and is not looked at."""
    import datadeed.owner.evidence.report as module

    monkeypatch.setattr(module, "render_proof", lambda evidence, records=(): "<p>page</p>")


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers that behave as told."""
    import contextlib

    with contextlib.ExitStack() as stack:

        def start(behave: Callable[[Handler, Seen], None]) -> Server:
            return stack.enter_context(serve(behave))

        yield start
