import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.models.training.augmentation import augment


def images(n=4, shape=(3, 8, 8), seed=0):
    return torch.randint(
        0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )


@given(flags=st.lists(st.booleans(), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_exactly_the_flagged_images_are_mirrored(flags, seed):
    x = images(len(flags), (1, 3, 5), seed)
    y = augment(x, torch.tensor(flags), torch.zeros(len(flags)))
    assert y.dtype == torch.uint8
    for before, after, flag in zip(x, y, flags, strict=True):
        assert torch.equal(after, before.flip(2) if flag else before)


def test_no_rotation_is_the_identity():
    x = images()
    assert torch.equal(augment(x, None, torch.zeros(4)), x)
    mixed = augment(x, None, torch.tensor([0.0, 45.0, 0.0, 0.0]))
    assert torch.allclose(mixed[[0, 2, 3]], x[[0, 2, 3]].float() / 255, atol=1e-5)
    assert not torch.allclose(mixed[1], x[1].float() / 255, atol=0.1)


@pytest.mark.parametrize(("angle", "turns"), [(90.0, -1), (-90.0, 1), (180.0, 2)])
def test_a_quarter_turn_is_clockwise(angle, turns):
    x = images()
    turned = augment(x, None, torch.full((4,), angle))
    assert torch.allclose(turned, torch.rot90(x.float() / 255, turns, (2, 3)), atol=1e-4)


def test_rotation_keeps_shapes_that_are_not_square():
    """A dot at (row 2, column 6) of 5x9 turns by 90 degrees round the centre (2, 4) to (4, 4)."""
    x = torch.zeros(1, 1, 5, 9, dtype=torch.uint8)
    x[0, 0, 2, 6] = 255
    turned = augment(x, None, torch.tensor([90.0]))
    expected = torch.zeros(1, 1, 5, 9)
    expected[0, 0, 4, 4] = 1
    assert torch.allclose(turned, expected, atol=1e-4)


def test_corners_turn_black():
    x = torch.full((1, 1, 9, 9), 255, dtype=torch.uint8)
    turned = augment(x, None, torch.tensor([45.0]))
    assert turned[0, 0, 4, 4] == 1
    assert turned[0, 0, 0, 0] == 0
