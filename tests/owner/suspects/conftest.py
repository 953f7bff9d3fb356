"""What the suspects' tests share."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from datadeed.owner.suspects.base import Suspect
from datadeed.owner.suspects.config import read_config
from datadeed.owner.suspects.remote import RemoteSuspect
from tests.owner.suspects.fakes import CLASSES, Handler, Seen, Server, serve


async def no_wait(_: float) -> None:
    """Instead of sleeping."""


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Closes servers and suspects at the end of a test."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start(stack: contextlib.ExitStack) -> Callable[..., Server]:
    """Starts a server that behaves as told."""

    def start(behave: Callable[[Handler, Seen], None]) -> Server:
        return stack.enter_context(serve(behave))

    return start


@pytest.fixture
def ask(stack: contextlib.ExitStack) -> Callable[..., Suspect]:
    """Makes a suspect that asks a server without waiting between attempts."""

    def ask(url: str, *, sleep: Any = no_wait, classes: tuple[str, ...] = CLASSES, **entries: Any):
        values = {
            "protocol": "json",
            "url": url,
            "request": {"x": "{{image}}"},
            "input": {"channels": 3, "height": 8, "width": 8},
            "output": {"kind": "probabilities"},
            **entries,
        }
        values = {name: value for name, value in values.items() if value is not None}
        suspect = RemoteSuspect(read_config(values, classes), sleep=sleep)
        stack.callback(suspect.close)
        return suspect

    return ask


@pytest.fixture
def image() -> torch.Tensor:
    """One image, (1, 3, 8, 8) uint8."""
    return torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8)
