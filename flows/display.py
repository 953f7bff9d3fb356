"""What the user sees while stages run: a live table on a terminal, a line per event elsewhere."""

import contextlib
import json
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flows.graph import Outcome, Stage


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``41 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


@dataclass
class Running:
    """A stage under way: since when, where it tells its progress, and what it waits for."""

    since: float
    status: Path
    waits: str = ""

    def progress(self) -> dict[str, Any]:
        """The stage's own last word (``tasks.progress.Progress``), or nothing yet."""
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(self.status.read_text(encoding="utf-8"))
            return told if isinstance(told, dict) else {}
        return {}


class Board:
    """Keeps count of the stages, and shows it on standard error.

    Args:
        plan: the stages.
        workers: how many run at once.
    """

    def __init__(self, plan: list[Stage], workers: int):
        self._groups = {stage.address: stage.group for stage in plan}
        self.workers = workers
        self._running: dict[str, Running] = {}
        self._ended: dict[str, Outcome] = {}
        self._lock = threading.Lock()
        self._console = Console(file=sys.stderr, soft_wrap=not sys.stderr.isatty())
        self._live: Live | None = None

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._render, refresh_per_second=2
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, line: str, style: str = "") -> None:
        """Print a line, above the table where there is one."""
        self._console.print(Text(line, style=style), soft_wrap=True)

    def started(self, address: str, status: Path) -> None:
        """A stage has a worker."""
        with self._lock:
            self._running[address] = Running(time.monotonic(), status)
        if self._live is None:
            self.say(f"{self._place()} {address} runs")

    def waiting(self, address: str, device: str) -> None:
        """A stage's device is in use by another flow of this machine."""
        with self._lock:
            self._running[address].waits = f"waiting for {device}, in use by another flow"
        if self._live is None:
            self.say(f"{self._place()} {address} waits for {device}, in use by another flow")

    def retrying(self, address: str, why: str, delay: float) -> None:
        """A stage met a fault that may pass."""
        with self._lock:
            if address in self._running:
                self._running[address].waits = f"tries again in {duration(delay)}"
        self.say(f"{self._place()} {address} tries again in {duration(delay)}: {why}", "yellow")

    def ended(self, outcome: Outcome) -> None:
        """A stage has ended, or never will begin."""
        with self._lock:
            self._running.pop(outcome.address, None)
            self._ended[outcome.address] = outcome
        if outcome.state in ("failed", "skipped"):
            style = "red" if outcome.state == "failed" else "yellow"
            self.say(f"{self._place()} {outcome.address} {outcome.state}: {outcome.note}", style)
        elif self._live is None and outcome.seconds:
            line = f"{outcome.state} in {duration(outcome.seconds)}"
            self.say(f"{self._place()} {outcome.address} {line}{self._about()}")

    def counts(self) -> Counter[str]:
        """How many stages ended in each state."""
        with self._lock:
            return Counter(outcome.state for outcome in self._ended.values())

    def seconds_left(self) -> float | None:
        """An estimate: each stage takes the median of its group's finished ones; None if none."""
        with self._lock:
            ended, running = dict(self._ended), dict(self._running)
        taken: dict[str, list[float]] = {}
        for outcome in ended.values():
            if outcome.state == "done":
                taken.setdefault(self._groups[outcome.address], []).append(outcome.seconds)
        typical = {group: statistics.median(seconds) for group, seconds in taken.items()}
        if not typical:
            return None
        other = statistics.median(typical.values())
        now, total, longest = time.monotonic(), 0.0, 0.0
        for address, group in self._groups.items():
            if address in ended:
                continue
            left = typical.get(group, other)
            if address in running:
                told = running[address].progress().get("seconds_left")
                usual = max(left - (now - running[address].since), 0.0)
                left = float(told) if isinstance(told, int | float) else usual
                longest = max(longest, left)
            total += left
        return max(total / self.workers, longest)

    def _place(self) -> str:
        total = len(self._groups)
        with self._lock:
            return f"[{len(self._ended):>{len(str(total))}}/{total}]"

    def _about(self) -> str:
        left = self.seconds_left()
        return f", about {duration(left)} left" if left else ""

    def _render(self) -> RenderableType:
        """The table of running stages, and a line of totals."""
        with self._lock:
            running = dict(self._running)
        table = Table(box=None, pad_edge=False, show_header=False)
        for address, stage in running.items():
            told = stage.progress()
            left = told.get("seconds_left")
            gone = duration(time.monotonic() - stage.since)
            table.add_row(
                Text(address, overflow="ellipsis", no_wrap=True),
                ProgressBar(total=1.0, completed=float(told.get("fraction") or 0.0), width=16),
                Text(stage.waits or str(told.get("text") or ""), no_wrap=True),
                f"{duration(left)} left" if isinstance(left, int | float) else gone,
            )
        return Group(table, Text(self.totals() + self._about(), style="bold"))

    def totals(self) -> str:
        """``31 done, 20 up to date, 1 failed, 6 left``."""
        counts = self.counts()
        left = len(self._groups) - sum(counts.values())
        words = [f"{counts[state]} {state}" for state in sorted(counts)]
        return ", ".join([*words, f"{left} left"] if left else words)
