"""How far a stage is: for people, and for the flow that started it.

When ``DATADEED_PROGRESS`` names a file, the stage keeps a line of JSON there, which ``flows`` shows
in its table: ``{"fraction": 0.4, "text": "...", "seconds_left": 12.0}``.
"""

import json
import os
import sys
import time
from pathlib import Path

from tqdm import tqdm

LINE_EVERY = 30.0  # seconds between lines where there is no terminal for a bar


class Progress:
    """A bar on a terminal, a line now and then elsewhere, and a status file for the flow.

    Args:
        total: how many units the work has.
        unit: their name, for the rate.
        text: what is being done.
    """

    def __init__(self, total: int, unit: str, text: str):
        self.total, self.text = max(total, 1), text
        self._bar = tqdm(
            total=total, unit=f" {unit}", desc=text, unit_scale=True, disable=None, leave=False
        )
        self._status = os.environ.get("DATADEED_PROGRESS")
        self._start = self._told = self._printed = time.monotonic()
        self._done = self._resumed = 0

    def update(self, done: int, note: str = "", *, resumed: bool = False) -> None:
        """``done`` units are done in all; ``resumed`` ones cost this process no time."""
        self._bar.update(done - self._done)
        self._bar.set_postfix_str(note, refresh=False)
        self._done = done
        if resumed:
            self._resumed = done
        now = time.monotonic()
        if now - self._told < 0.5 and done < self.total:
            return
        self._told = now
        rate = (done - self._resumed) / max(now - self._start, 1e-9)
        left = (self.total - done) / rate if rate else None
        if self._bar.disable and now - self._printed > LINE_EVERY:
            self._printed = now
            ahead = f", about {left:.0f} s left" if left else ""
            self.say(f"{self.text}: {done / self.total:.0%}, {note}{ahead}")
        if self._status:
            line = {"fraction": done / self.total, "text": note, "seconds_left": left}
            temporary = f"{self._status}.part"
            Path(temporary).write_text(json.dumps(line), encoding="utf-8")
            os.replace(temporary, self._status)

    def say(self, line: str) -> None:
        """Print a line without breaking the bar."""
        self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
