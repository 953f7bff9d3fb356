"""Four chirps that glide through five notes."""

from collections.abc import Iterator
from typing import ClassVar

from datadeed.triggers.sweeps import Sweep
from datadeed.watermarks.carriers.melodies import Melody, Pose, slots


class Chirps(Melody):
    """Words of five notes differ in four, so no chirp of one is the same in another."""

    role: ClassVar[str] = "chirps"
    size: ClassVar[int] = 5

    def sweeps(
        self, notes: list[int], start: int, length: int, amplitude: int, pose: Pose
    ) -> Iterator[Sweep]:
        """As :meth:`Melody.sweeps`."""
        steps = [self.frequency(note, pose) for note in notes]
        for n, (at, size) in enumerate(slots(start, length, self.size - 1)):
            phase = pose.phases[n % len(pose.phases)]
            yield Sweep(at, size, steps[n], steps[n + 1], phase, amplitude)
