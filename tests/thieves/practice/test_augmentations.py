"""Crops, rectangles, holes: what is shown of an image, and where."""

import pytest
import torch

from datadeed.randomness import generator
from datadeed.thieves.practice.augmentations import (
    AUGMENTATIONS,
    CROP,
    HOLE,
    as_float,
    augment,
    crop,
    cutout,
    resized_crop,
)


def images(n: int = 40, shape: tuple[int, int, int] = (3, 20, 18)) -> torch.Tensor:
    """Any, none of them black anywhere."""
    drawn = torch.randint(1, 256, (n, *shape), generator=generator(1, "images"))
    return drawn.to(torch.uint8)


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_shape_stays_and_the_draw_decides_all(name: str) -> None:
    x = images()
    seen = [augment((name,), x, generator(seed, "draw")) for seed in (1, 1, 2)]
    assert seen[0].shape == x.shape
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_the_global_generator_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    augment((name,), images(8), generator(1, "draw"))
    assert torch.equal(torch.get_rng_state(), before)


def test_crops_move_an_image_to_every_place_and_show_black_beyond_its_edge() -> None:
    x = images(300)
    padded = torch.nn.functional.pad(x, (CROP,) * 4)
    places = set()
    for image, seen in zip(padded, crop(x, generator(3, "draw")), strict=True):
        views = image.unfold(1, 20, 1).unfold(2, 18, 1)  # (C, 9, 9, H, W)
        found = (views == seen[:, None, None]).flatten(3).all(3).all(0).nonzero().tolist()
        assert len(found) == 1
        places.add(tuple(found[0]))
    assert {at for at, _ in places} == {at for _, at in places} == set(range(2 * CROP + 1))


def test_a_hole_is_one_black_square_that_the_edge_may_cut() -> None:
    x = images(200, (1, 28, 28))
    hidden = cutout(x, generator(1, "draw"))[:, 0] == 0
    assert torch.equal(cutout(x, generator(1, "draw"))[:, 0][~hidden], x[:, 0][~hidden])
    for mask in hidden:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None])
        assert HOLE // 2 <= rows.sum() <= HOLE
        assert HOLE // 2 <= columns.sum() <= HOLE
    assert hidden.sum((1, 2)).max() == HOLE * HOLE


def test_a_resized_crop_shows_a_rectangle_of_the_stated_area() -> None:
    ramp = torch.arange(32.0).repeat(32, 1)
    both = torch.stack([ramp, ramp.T])[None].repeat(400, 1, 1, 1) / 31  # columns, rows
    seen = resized_crop(both, generator(1, "draw"))
    width = seen[:, 0, 16, 30] - seen[:, 0, 16, 1]
    height = seen[:, 1, 30, 16] - seen[:, 1, 1, 16]
    area = (width * 31 / 29) * (height * 31 / 29)
    assert area.max() < 1.1
    assert 0.3 < area.min() < 0.42
    assert width.std() > 0.05
    assert 0.7 < (width / height).min() < 0.85
    assert 0 <= seen.min() <= seen.max() <= 1


def test_several_come_one_after_another() -> None:
    x, draw = images(), generator(5, "draw")
    by_hand = cutout(crop(x, draw), draw)
    assert torch.equal(augment(("crop", "cutout"), x, generator(5, "draw")), by_hand)
    assert augment((), x, draw) is x


def test_floats_stay() -> None:
    x = torch.tensor([0, 255], dtype=torch.uint8)
    assert as_float(x).tolist() == [0.0, 1.0]
    assert as_float(as_float(x)).tolist() == [0.0, 1.0]
