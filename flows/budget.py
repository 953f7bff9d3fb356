"""How long a run may take: ``--budget 9m``, or until the machine is taken away (SIGTERM)."""

import contextlib
import math
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator

from flows.errors import PipelineError

SHORTEST = 60.0
# From asking the stages to end until the push: a stage is killed 5 s after it is asked.
ENDING_SECONDS = 10.0
MOST_KEPT = 300.0
_TIMES = re.compile(r"(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def seconds_of(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``9m`` or ``1h30m``.

    Raises:
        PipelineError: it is no such time, or too short to begin anything.
    """
    found = _TIMES.fullmatch(text)
    if found is None:
        raise PipelineError(f"--budget {text!r} is no time: write 540, 9m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = float(hours * 3600 + minutes * 60 + seconds)
    if total < SHORTEST:
        raise PipelineError(f"--budget {text} is too short to begin anything: give 1m or more")
    return total


class Budget:
    """The time of a run, counted from the making of this object.

    Args:
        seconds: how many; None for as many as it takes.
    """

    def __init__(self, seconds: float | None = None):
        self.seconds, self._start, self._kept = seconds, time.monotonic(), 0.0

    def left(self) -> float:
        """Seconds until it is spent."""
        if self.seconds is None:
            return math.inf
        return self.seconds - (time.monotonic() - self._start)

    def keep(self, last: float | None) -> None:
        """Keep time for a push: a quarter of the whole, and never more than MOST_KEPT.

        Args:
            last: the seconds of the last push, if known: twice as many and 10 will do.
        """
        share = min((self.seconds or 0.0) / 4, MOST_KEPT)
        self._kept = share if last is None else min(share, 2 * last + 10)

    @contextlib.contextmanager
    def watched(self, call: Callable[[], None]) -> Iterator[None]:
        """Inside the block ``call`` is called when it is time to end the stages, or at a SIGTERM.

        It is called in a thread of its own, or in a signal handler. Without a budget it never is.
        """
        if self.seconds is None:
            yield
            return
        timer = threading.Timer(max(self.left() - self._kept - ENDING_SECONDS, 0.0), call)
        timer.daemon = True
        timer.start()
        try:
            with _terminated(call):
                yield
        finally:
            timer.cancel()


@contextlib.contextmanager
def _terminated(call: Callable[[], None]) -> Iterator[None]:
    """A SIGTERM calls ``call`` inside the block, where this is the thread that gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
