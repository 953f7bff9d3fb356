"""Four short bands of noise, one after the other, drawn anew for each mark."""

from collections.abc import Iterator
from typing import ClassVar

from datadeed.triggers.sweeps import TURN, Sweep
from datadeed.watermarks.carriers.melodies import Melody, Pose, slots

SINES = 4  # of a band
WIDTH = 8  # a band's sines lie within an eighth of its note, below and above


class Bands(Melody):
    """As tones, but each is some sines of random frequency and phase: no waveform recurs."""

    role: ClassVar[str] = "bands"
    size: ClassVar[int] = 4

    def sweeps(
        self, notes: list[int], start: int, length: int, amplitude: int, pose: Pose
    ) -> Iterator[Sweep]:
        """As :meth:`Melody.sweeps`; the sines of a band are as loud together as one tone."""
        for n, (at, size) in enumerate(slots(start, length, self.size)):
            step = self.frequency(notes[n], pose)
            for k in range(n * SINES, (n + 1) * SINES):
                aside = pose.spread[k % len(pose.spread)] - TURN // 2
                moved = step + step * aside // (TURN // 2 * WIDTH)
                phase = pose.phases[k % len(pose.phases)]
                yield Sweep(at, size, moved, moved, phase, amplitude // 2)
