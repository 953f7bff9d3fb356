"""Grey, resized and JPEG images."""

import torch

from datadeed.randomness import generator
from datadeed.thieves.practice.views import grey, jpeg, resized


def noise(channels: int) -> torch.Tensor:
    drawn = torch.randint(0, 256, (6, channels, 16, 24), generator=generator(1, "noise"))
    return drawn.to(torch.uint8)


def test_grey_is_the_brightness_of_one_channel() -> None:
    same = noise(1)
    assert grey(same) is same
    assert torch.equal(grey(same.repeat(1, 3, 1, 1)), same)
    red = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    red[:, 0] = 200
    assert grey(red).unique().tolist() == [60]


def test_resized_gives_a_square_and_keeps_what_is_flat() -> None:
    flat = torch.full((2, 3, 28, 28), 77, dtype=torch.uint8)
    assert torch.equal(resized(20)(flat), flat[:, :, :20, :20])
    assert resized(32)(noise(1)).shape == (6, 1, 32, 32)


def test_jpeg_keeps_shape_and_loses_more_at_a_lower_quality() -> None:
    for channels in (1, 3):
        x = noise(channels)
        lost = [(jpeg(q)(x).int() - x.int()).abs().float().mean() for q in (95, 75, 10)]
        assert jpeg(75)(x).shape == x.shape
        assert jpeg(75)(x).dtype == torch.uint8
        assert 0 < lost[0] < lost[1] < lost[2]
