import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.models.training.augmentation import augment, draw_moves
from datadeed.randomness import generator


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


@pytest.mark.parametrize("kind", ["uint8", "float"])
def test_moves_are_to_the_right_and_down_with_black_behind(kind):
    x = images(3, (2, 5, 7))
    given = x if kind == "uint8" else x.float() / 255
    moved = augment(given, None, None, torch.tensor([[2.0, 0.0], [0.0, -1.0], [-3.0, 4.0]]))
    expected = torch.zeros(3, 2, 5, 7)
    expected[0, :, :, 2:] = x[0, :, :, :-2] / 255
    expected[1, :, :-1] = x[1, :, 1:] / 255
    expected[2, :, 4:, :-3] = x[2, :, :-4, 3:] / 255
    assert torch.allclose(moved, expected, atol=1e-5)


def test_half_a_pixel_is_the_mean_of_two():
    x = images(1, (1, 4, 6)).float() / 255
    moved = augment(x, None, None, torch.tensor([[0.5, 0.0]]))
    beside = torch.nn.functional.pad(x, (1, 0))
    assert torch.allclose(moved, (beside[..., 1:] + beside[..., :-1]) / 2, atol=1e-5)


def test_mirrored_then_moved_then_turned():
    x = images(1, (1, 5, 5))
    whole = augment(x, torch.tensor([True]), torch.tensor([90.0]), torch.tensor([[1.0, 0.0]]))
    mirrored = x.float().flip(3) / 255
    moved = torch.nn.functional.pad(mirrored, (1, 0))[..., :-1]
    assert torch.allclose(whole, torch.rot90(moved, -1, (2, 3)), atol=1e-4)


def test_gradients_pass_through():
    x = torch.rand(6, 1, 8, 8, generator=generator(1)).requires_grad_()
    flips, moves = torch.tensor([True, False] * 3), draw_moves(6, 2.0, generator(2))
    augment(x, flips, None, moves).sum().backward()
    assert float(x.grad[:, :, 4, 4].min()) > 0.5


def test_moves_are_uniform_along_each_axis():
    moves = draw_moves(2000, 4.0, generator(1))
    assert moves.shape == (2000, 2)
    assert 3.9 < float(moves.abs().max()) <= 4.0
    assert float(moves.mean(0).abs().max()) < 4 * 4.0 / 6000**0.5  # within 4 standard errors
    assert abs(float(torch.corrcoef(moves.T)[0, 1])) < 4 / 2000**0.5


def test_a_shift_of_0_draws_nothing():
    draw = generator(1)
    before = draw.get_state()
    assert draw_moves(5, 0.0, draw) is None
    assert torch.equal(draw.get_state(), before)
