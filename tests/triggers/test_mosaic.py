"""Mosaics: exact where they are upright and opaque, mirrored, and inside the image they lie in."""

import hashlib

import pytest
import torch

from datadeed.errors import WatermarkError
from datadeed.triggers.mosaic import mix, render
from datadeed.triggers.squares import UNIT, Poses

CHEQUERS = torch.tensor([[[-255, 255], [255, -255], [-255, 255], [255, -255]]])
SIZES = [(28, 28), (32, 32), (64, 64), (24, 40), (50, 16)]


def poses(n: int, **values: object) -> Poses:
    """Upright, sharp and opaque, 16 pixels wide, at the upper left; or as ``values`` say."""
    whole = {"side": 16 * UNIT, "angle": 0, "opacity": 255, "contrast": 255, "ramp": 0}
    fields = {name: torch.full((n,), int(value)) for name, value in whole.items()}
    fields["centre"] = torch.full((n, 2), 8 * UNIT)
    fields |= {
        name: torch.as_tensor(value).expand_as(fields[name]) for name, value in values.items()
    }
    return Poses(**fields)


def noise(n: int, channels: int, size: tuple[int, int]) -> torch.Tensor:
    draw = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (n, channels, *size), generator=draw, dtype=torch.uint8)


def test_upright_and_opaque_it_is_its_cells() -> None:
    image = torch.full((1, 1, 20, 24), 77, dtype=torch.uint8)
    seen = render(image, CHEQUERS[None], poses(1))[0, 0]
    half = (CHEQUERS[0] + 255) // 2
    cells = torch.cat([half, half.flip(1)], 1).repeat_interleave(4, 0).repeat_interleave(4, 1)
    inner = torch.tensor([n for n in range(16) if n % 4 in (1, 2)])  # borders are one pixel wide
    assert torch.equal(seen[inner][:, inner].long(), cells[inner][:, inner])
    assert bool((seen[16:] == 77).all())
    assert bool((seen[:, 16:] == 77).all())
    assert bool((image == 77).all())


def test_opacity_contrast_and_rounding() -> None:
    """A white cell at contrast 0.8 is 229.5; half of it over 10 is 120.0 (120.2 at 128/255)."""
    white, image = torch.full((1, 1, 4, 2), 255), torch.full((1, 1, 16, 16), 10, dtype=torch.uint8)
    for opacity, contrast, value in (
        (255, 255, 255),
        (255, 204, 230),
        (128, 204, 120),
        (0, 255, 10),
    ):
        seen = render(image, white, poses(1, opacity=opacity, contrast=contrast))
        assert seen.unique().tolist() == [value]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ramp", [0, 177, 310])
def test_it_equals_its_mirror_image(channels: int, size: tuple[int, int], ramp: int) -> None:
    height, width = size
    image = noise(1, channels, size)
    image = torch.maximum(image, image.flip(3))
    centre = torch.tensor([[height * UNIT // 2 - 300, width * UNIT // 2]])
    values = {"centre": centre, "side": 3333, "ramp": ramp, "opacity": 222, "contrast": 190}
    seen = render(image, CHEQUERS.expand(1, channels, -1, -1), poses(1, **values))
    assert torch.equal(seen, seen.flip(3))
    assert not torch.equal(seen, image)


def test_turned_the_other_way_it_is_mirrored() -> None:
    image = torch.full((2, 1, 28, 28), 9, dtype=torch.uint8)
    angle, centre = torch.tensor([77, -77]), torch.full((2, 2), 14 * UNIT)
    one, other = render(image, CHEQUERS.expand(2, 1, -1, -1), poses(2, angle=angle, centre=centre))
    assert not torch.equal(one, other)
    assert int((one.long() - other.flip(2).long()).abs().max()) <= 1  # by rounding


def test_images_of_a_batch_do_not_depend_on_each_other() -> None:
    images = noise(70, 3, (28, 30))
    cells = torch.randint(-255, 256, (70, 3, 4, 2), generator=torch.Generator().manual_seed(1))
    angle, side = torch.arange(70) - 35, 3000 + 10 * torch.arange(70)
    together = poses(70, angle=angle, side=side)
    seen = render(images, cells, together)
    for start in (0, 31, 32, 69):
        row = slice(start, start + 1)
        assert torch.equal(seen[row], render(images[row], cells[row], together.take(row)))


def test_known_bytes() -> None:
    """Released data and recorded questions must come out the same in ten years."""
    n = 9
    values = {
        "angle": 20 * torch.arange(n) - 80,
        "side": 2816 + 96 * torch.arange(n),
        "centre": torch.stack([2000 + 300 * torch.arange(n), 5000 - 200 * torch.arange(n)], 1),
        "ramp": torch.tensor([0, 177, 310] * 3),
        "opacity": 204 + 6 * torch.arange(n),
        "contrast": 179 + 9 * torch.arange(n),
    }
    seen = render(noise(n, 3, (28, 36)), CHEQUERS.expand(n, 3, -1, -1), poses(n, **values))
    assert (
        hashlib.sha256(seen.contiguous().numpy()).hexdigest()
        == "a2af467b8617bba7728c72a85817e3051f8d4d3893992645ef57c2b491d84013"
    )


def test_mixing_rounds_to_the_nearest() -> None:
    one = torch.tensor([0, 255, 10, 200], dtype=torch.uint8).view(1, 1, 2, 2)
    other = torch.tensor([255, 255, 20, 3], dtype=torch.uint8).view(1, 1, 2, 2)
    for weight in (0, 1, 90, 127, 255):
        exact = (one.double() * (255 - weight) + other.double() * weight) / 255
        assert torch.equal(mix(one, other, torch.tensor([weight])).double(), exact.round())


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(WatermarkError, match="16x15 are too small for a mosaic"):
        render(torch.zeros((1, 1, 16, 15), dtype=torch.uint8), CHEQUERS[None], poses(1))
