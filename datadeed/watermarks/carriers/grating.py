"""What a key draws of its gratings: frequencies that no other part has, colours, windows.

A trigger is asked with two wide windows of full contrast, of one wave. A mark has one or
two fainter ones, anywhere, with phases of their own, and lies on an image that is mixed with one of
another class.
"""

import numpy as np
import torch

from datadeed.keys.generation2 import CARRIERS, Key2
from datadeed.triggers.grating import TURN, UNIT, Windows, add_gratings
from datadeed.triggers.mosaic import mix
from datadeed.watermarks.carriers.base import Carrier, Hosts, own_rows
from datadeed.watermarks.carriers.drawing import between, words_of
from datadeed.watermarks.carriers.placing import BASE, WEIGHTS

# Hundredths of a cycle over the image's side: 0, .075, .15 and .24 a pixel of 28.
CYCLES = (0, 210, 420, 672)
PAIRS = tuple((down, across) for down in CYCLES for across in CYCLES if down or across)
WINDOWS, MARGIN = 2, 4  # of BASE: so far from the border windows are centred
ASKED_SIGMA, ASKED_AMPLITUDE = 8, 127
SIGMAS, AMPLITUDES = (5, 8), (50, 80)


class Grating(Carrier):
    """Gratings on rows of the parts' own classes."""

    def trigger(self, samples: torch.Tensor, part: int) -> torch.Tensor:
        """As :meth:`Carrier.trigger`."""
        return self._asked(samples, "grating trigger", _order(self.key)[part], part)

    def decoy(self, samples: torch.Tensor, part: int, row: int) -> torch.Tensor:
        """Frequencies that no part has, and own colours, places and phases."""
        rest = _order(self.key)[min(self.design.parts, CARRIERS["grating"].parts) :]
        pair = rest[self.key.integer("grating decoy pair", part, row, below=len(rest))]
        return self._asked(samples, "grating decoy", pair, part, row)

    def hosts(self, labels: np.ndarray) -> Hosts:
        """Rows of the parts' own classes, each with a row of another class."""
        return own_rows(self.key, labels, "grating", mixed=True)

    def marks(
        self, samples: torch.Tensor, partners: torch.Tensor, parts: np.ndarray, rows: np.ndarray
    ) -> torch.Tensor:
        """As :meth:`Carrier.marks`."""
        size = (samples.shape[2], samples.shape[3])
        order, present = _order(self.key), sorted(set(parts.tolist()))
        places = np.searchsorted(present, parts)
        colours = np.array([_colour(self.key, "grating trigger", part) for part in present])
        words = words_of(self.key, "grating mark", parts, rows, count=2 + 6 * WINDOWS)
        windows = _windows(words[:, 2:], size, (SIGMAS, AMPLITUDES))
        windows["amplitude"][:, 1] *= between(words[:, 0], 0, 1)  # one window or two
        weights = torch.from_numpy(between(words[:, 1], *WEIGHTS))
        pairs = np.array([PAIRS[order[part]] for part in present])
        made = _tensors(pairs[places], colours[places], windows)
        return add_gratings(mix(samples, partners, weights), made)

    def _asked(self, samples: torch.Tensor, role: str, pair: int, *numbers: int) -> torch.Tensor:
        size, n = (samples.shape[2], samples.shape[3]), len(samples)
        words = self.key.words(role, *numbers, count=1 + 6 * WINDOWS)[None, 1:]
        asked = ((ASKED_SIGMA, ASKED_SIGMA), (ASKED_AMPLITUDE, ASKED_AMPLITUDE))
        windows = _windows(words, size, asked)
        windows["phase"][:, 1] = windows["phase"][:, 0]  # else two windows may cancel out
        colour = np.array([_colour(self.key, role, *numbers)])
        made = _tensors(np.array([PAIRS[pair]]), colour, windows)
        fields = (getattr(made, name) for name in Windows.__dataclass_fields__)
        return add_gratings(samples, Windows(*(each.expand(n, *each.shape[1:]) for each in fields)))


def _order(key: Key2) -> list[int]:
    """Numbers of the pairs of frequencies in the key's order; the first ones are the parts'."""
    return [int(n) for n in key.permutation("grating pairs", count=len(PAIRS))]


def _colour(key: Key2, role: str, *numbers: int) -> list[int]:
    """The sign of each channel."""
    bits = int(key.words(role, *numbers, count=1)[0])
    return [1 - 2 * (bits >> channel & 1) for channel in range(key.design.channels)]


def _windows(
    words: np.ndarray, size: tuple[int, int], ranges: tuple[tuple[int, int], tuple[int, int]]
) -> dict[str, np.ndarray]:
    """Centre, phase, sigma and amplitude of ``WINDOWS`` windows of each row.

    Args:
        words: (M, 6 * WINDOWS) uint64.
        size: (H, W) of the images.
        ranges: of sigma, of so many ``BASE`` of the shorter side, and of the amplitude.
    """
    drawn, unit = words.reshape(len(words), WINDOWS, 6), UNIT * min(size)
    margin = unit * MARGIN // BASE
    sigmas = (unit * share // BASE for share in ranges[0])
    centre = [between(drawn[..., n], margin, UNIT * size[n] - margin) for n in (0, 1)]
    return {
        "centre": np.stack(centre, axis=-1),
        "phase": between(drawn[..., 2:4], 0, TURN - 1),
        "sigma": between(drawn[..., 4], *sigmas),
        "amplitude": between(drawn[..., 5], *ranges[1]),
    }


def _tensors(pairs: np.ndarray, colours: np.ndarray, windows: dict[str, np.ndarray]) -> Windows:
    fields = {"frequency": pairs, "colour": colours, **windows}
    return Windows(**{name: torch.from_numpy(field) for name, field in fields.items()})
