"""What filters at the server do to images."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import ParameterError
from datadeed.thieves.served import own_classes
from datadeed.thieves.serving.base import Trick
from datadeed.thieves.serving.filters import (
    Blur,
    Filter,
    Jpeg,
    Median,
    Resize,
    Rotation,
    ShrinkPad,
)
from tests.toy_model import ToyModel

FILTERS: dict[str, Filter] = {
    "jpeg 75": Jpeg(quality=75),
    "jpeg 30": Jpeg(quality=30),
    "blur 0.5": Blur(sigma=0.5),
    "blur 0.7": Blur(sigma=0.7),
    "median": Median(),
    "resize": Resize(pixels=4),
    "shrink-pad": ShrinkPad(scale=0.95),
    "rotation": Rotation(degrees=5),
}
WHOLE = [name for name in FILTERS if name not in ("shrink-pad", "rotation")]  # no black edge
GROUPS = own_classes(2)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(n: int = 6, channels: int = 3, height: int = 16, width: int = 20) -> torch.Tensor:
    return torch.randint(0, 256, (n, channels, height, width), generator=draw(), dtype=torch.uint8)


def smooth() -> torch.Tensor:
    """(4, 3, 28, 28) slow waves."""
    across = 128 + 80 * torch.sin(torch.linspace(0, 3, 28))
    down = 30 * torch.cos(torch.linspace(0, 2, 28))
    image = (across + down[:, None]).round().to(torch.uint8)
    return image.expand(4, 3, 28, 28).clone()


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_filter_gives_images_of_the_same_form_and_leaves_those_it_got(
    name: str, channels: int
) -> None:
    images = noise(channels=channels)
    before = images.clone()
    made = FILTERS[name].change(images, draw())
    assert made.shape == images.shape
    assert made.dtype == torch.uint8
    assert torch.equal(images, before)
    assert not torch.equal(made, images)


@pytest.mark.parametrize("name", WHOLE)
@given(grey=st.integers(0, 255))
def test_a_plain_image_stays(name: str, grey: int) -> None:
    images = torch.full((2, 1, 16, 16), grey, dtype=torch.uint8)
    off = (FILTERS[name].change(images, draw()).short() - grey).abs()
    assert off.max() <= (2 if name == "jpeg 30" else 0)  # JPEG 30 rounds a block's mean to 4 levels


@pytest.mark.parametrize(
    ("name", "most"),
    [("jpeg 75", 3), ("jpeg 30", 8), ("blur 0.5", 1), ("blur 0.7", 2), ("median", 1)],
)
def test_a_smooth_image_hardly_changes(name: str, most: int) -> None:
    inner = FILTERS[name].change(smooth(), draw())[:, :, 3:-3, 3:-3]
    assert (inner.short() - smooth()[:, :, 3:-3, 3:-3].short()).abs().max() <= most


def test_less_quality_is_farther_from_the_image() -> None:
    errors = [
        (Jpeg(quality=q).change(noise(), draw()).float() - noise().float()).square().mean()
        for q in (95, 75, 30)
    ]
    assert errors[0] < errors[1] < errors[2]


def test_a_blur_spreads_a_point_as_a_gaussian_and_keeps_the_sum() -> None:
    images = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    images[0, 0, 4, 4] = 255
    made = Blur(sigma=0.7).change(images, draw())[0, 0].float()
    weights = torch.exp(-torch.tensor([0.0, 1.0, 4.0]) / (2 * 0.7**2))
    peak = weights[0] / (weights[0] + 2 * weights[1] + 2 * weights[2])
    assert made[4, 4] == pytest.approx(255 * peak**2, abs=1)
    assert made[4, 5] == pytest.approx(255 * peak**2 * weights[1], abs=1)
    assert made.sum() == pytest.approx(255, abs=8)


def test_a_median_removes_a_point_and_keeps_an_edge() -> None:
    images = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    images[..., 5:] = 200
    edge = images.clone()
    images[0, 0, 4, 2] = 255
    assert torch.equal(Median().change(images, draw()), edge)


def test_a_median_is_the_fifth_of_nine() -> None:
    images = noise(n=2)
    made = Median().change(images, draw())
    for n, c, y, x in [(0, 0, 1, 1), (1, 2, 7, 13), (0, 1, 14, 18)]:
        around = images[n, c, y - 1 : y + 2, x - 1 : x + 2].flatten().sort().values
        assert made[n, c, y, x] == around[4]


def test_a_resize_removes_a_fine_grid_and_keeps_a_wave() -> None:
    grid = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    grid[..., ::2] = 255
    made = Resize(pixels=14).change(grid, draw())
    assert made.float().std() < 0.2 * grid.float().std()
    kept = Resize(pixels=4).change(smooth(), draw())
    assert (kept.short() - smooth().short()).abs().max() <= 3


def test_shrink_pad_puts_the_image_elsewhere_each_time() -> None:
    images = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    generator, shrink = draw(), ShrinkPad(scale=0.9)  # to 25 x 25
    corners = set()
    for _ in range(40):
        made = shrink.change(images, generator)[0, 0]
        assert int((made > 0).sum()) == 25 * 25
        corners.add(tuple((made > 0).nonzero()[0].tolist()))
    assert len(corners) > 8  # of 16


def test_a_rotation_is_drawn_for_each_question_and_within_its_limit() -> None:
    images = torch.zeros(200, 1, 41, 41, dtype=torch.uint8)
    images[:, :, 20, 40] = 255  # turns up or down by the sine of the angle
    images[:, :, 19:22, 38:] = 255
    generator, turn = draw(), Rotation(degrees=5)
    first, second = (turn.change(images, generator) for _ in range(2))
    assert not torch.equal(first, second)
    weight = first[:, 0, :, 36:].float().sum(2)
    height = (weight * torch.arange(41)).sum(1) / weight.sum(1) - 20
    most = 19 * torch.sin(torch.deg2rad(torch.tensor(5.0)))
    assert height.abs().max() <= most + 0.3
    assert height.max() > 0.7 * most
    assert height.min() < -0.7 * most


class Brightness(ToyModel):
    """Answers with the mean of an image."""

    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        mean = samples.float().mean((1, 2, 3)) / 255
        return torch.stack([mean, 1 - mean], 1)


@pytest.mark.parametrize("name", FILTERS)
def test_a_served_model_sees_filtered_images(name: str) -> None:
    trick, images = FILTERS[name], noise()
    served = trick.serve(Brightness(), GROUPS, generator=draw(1))
    expected = Brightness().predict(trick.change(images, draw(1)))
    assert torch.equal(served.predict(images), expected)
    assert not served.labels_only


@pytest.mark.parametrize(
    "build",
    [
        lambda: Jpeg(quality=0),
        lambda: Jpeg(quality=101),
        lambda: Blur(sigma=0),
        lambda: Resize(pixels=0),
        lambda: Rotation(degrees=0),
        lambda: ShrinkPad(scale=1.0),
    ],
)
def test_values_that_make_no_sense_are_refused(build: Callable[[], Trick]) -> None:
    with pytest.raises(ParameterError):
        build()
