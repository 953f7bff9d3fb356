"""Gratings against their formula in floats."""

import math

import pytest
import torch

from datadeed.triggers.grating import CYCLE, TURN, UNIT, Windows, add_gratings


def windows(n: int, channels: int, size: tuple[int, int], seed: int = 0) -> Windows:
    draw = torch.Generator().manual_seed(seed)

    def whole(low: int, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(low, high + 1, (n, *shape), generator=draw)

    return Windows(
        frequency=whole(0, 700, 2),
        colour=1 - 2 * whole(0, 1, channels),
        centre=whole(0, UNIT * min(size), 2, 2),
        phase=whole(0, TURN - 1, 2, 2),
        sigma=whole(UNIT * 2, UNIT * 9, 2),
        amplitude=whole(0, 127, 2),
    )


@pytest.mark.parametrize(("channels", "size"), [(1, (28, 28)), (3, (32, 32)), (3, (40, 64))])
def test_it_is_the_sum_of_windowed_cosines(channels: int, size: tuple[int, int]) -> None:
    made, grey = windows(20, channels, size), torch.full((20, channels, *size), 128)
    found = add_gratings(grey.to(torch.uint8), made)
    for n in range(20):
        wave = torch.zeros(size, dtype=torch.float64)
        for k in range(2):
            factors = []
            for axis in (0, 1):
                at = torch.arange(size[axis], dtype=torch.float64)
                cycles = float(made.frequency[n, axis]) / CYCLE / min(size)
                phase = 2 * math.pi * (cycles * at + float(made.phase[n, k, axis]) / TURN)
                far = (at + 0.5 - float(made.centre[n, k, axis]) / UNIT) * UNIT
                factors.append(phase.cos() * (-((far / float(made.sigma[n, k])) ** 2) / 2).exp())
            wave += float(made.amplitude[n, k]) * factors[0][:, None] * factors[1]
        exact = (128 + wave * made.colour[n, :, None, None]).clamp(0, 255)
        assert (found[n].double() - exact).abs().max() < 2


def test_an_amplitude_of_nothing_adds_nothing() -> None:
    made = windows(8, 3, (16, 16))
    made.amplitude.zero_()
    images = torch.arange(8 * 3 * 256).view(8, 3, 16, 16).to(torch.uint8)
    assert torch.equal(add_gratings(images, made), images)
