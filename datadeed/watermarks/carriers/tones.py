"""Four short tones, one after the other."""

from collections.abc import Iterator
from typing import ClassVar

from datadeed.triggers.sweeps import Sweep
from datadeed.watermarks.carriers.melodies import Melody, Pose, slots


class Tones(Melody):
    """Any two patterns have one tone in the same place at most."""

    role: ClassVar[str] = "tones"
    size: ClassVar[int] = 4

    def sweeps(
        self, notes: list[int], start: int, length: int, amplitude: int, pose: Pose
    ) -> Iterator[Sweep]:
        """As :meth:`Melody.sweeps`."""
        for n, (at, size) in enumerate(slots(start, length, self.size)):
            step = self.frequency(notes[n], pose)
            yield Sweep(at, size, step, step, pose.phases[n % len(pose.phases)], amplitude)
