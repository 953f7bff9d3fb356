"""``datadeed watch --page``: a page from the command's start to an interrupt."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from datadeed.cli import main
from datadeed.watching.page import serve
from datadeed.watching.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of an empty store."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    Store.open(url).close()
    return url


def test_a_page_lasts_until_an_interrupt(store: str) -> None:
    token = "0123456789abcdef" * 2
    words = [sys.executable, "-m", "datadeed", "watch", "--page", store, "--port", "0"]
    environment = os.environ | {"DATADEED_PAGE_TOKEN": token}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as shown:
        assert shown.stderr is not None
        try:
            said = shown.stderr.readline()
            found = re.match(r"(http://127\.0\.0\.1:\d+/) shows the store until", said)
            assert found is not None
            with httpx.Client(base_url=found[1], trust_env=False) as visitor:
                assert visitor.get("/").status_code == 401
                answer = visitor.get("/", headers={"authorization": f"Bearer {token}"})
                assert answer.status_code == 200
                assert "server" not in answer.headers
        finally:
            shown.send_signal(signal.SIGINT)
            rest = shown.stderr.read()
        assert (shown.wait(30), rest) == (0, "")  # no token, no address, no traceback in a log


def test_the_options_arrive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(serve, "serve", lambda url, **more: given.update(more, url=url))
    words = ["--host", "::1", "--port", "0", "--name", "a", "--name", "b", "--evidence"]
    assert main(["watch", "--page", "sqlite:///s.db", *words, str(tmp_path)]) == 0
    del given["say"]
    assert given == {
        "url": "sqlite:///s.db",
        "host": "::1",
        "port": 0,
        "names": ["a", "b"],
        "evidence": tmp_path,
    }


def test_a_watch_still_needs_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["watch", "--out", "x"])
    assert "required: --suspect, --key, --pool" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--host", "0.0.0.0"],
            "error: --host 0.0.0.0 can be reached from elsewhere: set DATADEED",
        ),
        (["--evidence", "gone"], "error: --evidence gone is no folder"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    words: list[str],
    line: str,
    store: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATADEED_PAGE_TOKEN", raising=False)
    assert main(["watch", "--page", store, *words]) == 1
    assert capsys.readouterr().err.startswith(line)
