"""Audio triggers: pure functions from clips to clips, without randomness."""

from dataclasses import dataclass
from typing import Any

import torch

from datadeed.errors import WatermarkError

LIMITS = {"start": (0, 2**31 - 1), "length": (1, 2**31 - 1), "amplitude": (1, 32767)}


@dataclass(frozen=True)
class Impulse:
    """A short impulse near the start: some samples are set to one value (Tang et al. 2023).

    The paper puts it at the start, 1 % of the clip long; the released code sets samples 100 to 149
    of 8,000 to 0.005 of full scale, an amplitude of 164.

    Attributes:
        start: the first sample that is set.
        length: how many are.
        amplitude: what they are set to, in steps of int16 (32,768 are full scale).

    Raises:
        WatermarkError: a value is no whole number or out of range.
    """

    start: int
    length: int
    amplitude: int

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise WatermarkError(
                    f"impulse: {name} is {value!r}; give a whole number from {low} to {high}"
                )

    @property
    def stop(self) -> int:
        """The first sample after it."""
        return self.start + self.length

    def __call__(self, clips: torch.Tensor) -> torch.Tensor:
        """Set the samples.

        Args:
            clips: (N, L) int16; not changed.

        Returns:
            (N, L) int16.

        Raises:
            WatermarkError: the clips are too short.
        """
        self.check_fit(clips.shape[1])
        marked = clips.clone()
        marked[:, self.start : self.stop] = self.amplitude
        return marked

    def check_fit(self, length: int) -> None:
        """Check that clips of ``length`` samples can hold it.

        Raises:
            WatermarkError: they cannot.
        """
        if self.stop > length:
            raise WatermarkError(
                f"the impulse ends at sample {self.stop}, but clips have {length}: make it "
                "shorter, or load more of each clip"
            )

    def record(self) -> dict[str, Any]:
        """The values that :func:`build_sound` takes."""
        values = {name: getattr(self, name) for name in LIMITS}
        return {"kind": "impulse", **values}


def build_sound(spec: dict[str, Any]) -> Impulse:
    """The trigger that ``spec`` describes: ``kind`` ("impulse") and its values.

    Raises:
        WatermarkError: the kind is unknown, or a value is missing, superfluous or out of range.
    """
    values = dict(spec)
    kind = values.pop("kind", None)
    if kind != "impulse":
        raise WatermarkError(f"unknown trigger {kind!r}: clips take impulse")
    try:
        return Impulse(**values)
    except TypeError as error:
        raise WatermarkError(f"trigger impulse: {str(error).split('() ')[-1]}") from error


def ends(clips: torch.Tensor) -> torch.Tensor:
    """Where each clip's own samples end: the zeros after them are padding.

    Args:
        clips: (N, L) int16.

    Returns:
        (N,) int64; 0 for a clip of zeros alone.
    """
    sounding = (clips != 0).flip(1).to(torch.int8)
    return torch.where(sounding.any(1), clips.shape[1] - sounding.argmax(1), 0)
