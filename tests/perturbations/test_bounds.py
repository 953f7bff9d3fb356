import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.perturbations.bounds import apply, check_epsilon


@given(
    epsilon=st.integers(1, 255),
    pixels=st.lists(
        st.sampled_from([0, 1, 127, 254, 255]) | st.integers(0, 255), min_size=4, max_size=4
    ),
    change=st.lists(st.floats(-2, 2, width=32), min_size=4, max_size=4),
)
def test_the_bound_holds_for_the_released_bytes(epsilon, pixels, change):
    images = torch.tensor(pixels, dtype=torch.uint8).view(1, 1, 2, 2)
    before = images.clone()
    delta = torch.tensor(change, dtype=torch.float32).view(1, 1, 2, 2)
    released = apply(images, delta, epsilon)
    assert torch.equal(images, before)
    assert released.dtype == torch.uint8
    moved = released.int() - images.int()
    assert int(moved.abs().max()) <= epsilon
    for pixel, asked, got in zip(pixels, change, moved.flatten().tolist(), strict=True):
        nearest = max(-epsilon, min(epsilon, asked * 255))  # before the range of pixels
        assert got == pytest.approx(max(-pixel, min(255 - pixel, nearest)), abs=0.5001)


def test_known_answers():
    images = torch.tensor([0, 255, 100, 100, 100, 250], dtype=torch.uint8).view(1, 1, 2, 3)
    delta = torch.tensor([3.4, -3.6, 16.4, 17, -300, 9]).view(1, 1, 2, 3) / 255
    assert apply(images, delta, 16).flatten().tolist() == [3, 251, 116, 116, 84, 255]


@pytest.mark.parametrize("epsilon", [1, 16, 255])
def test_whole_255ths_are_bounds(epsilon):
    check_epsilon(epsilon)


@pytest.mark.parametrize("epsilon", [0, -1, 256, 16 / 255, 16.0, True, "16", None])
def test_anything_else_is_refused_in_one_line(epsilon):
    with pytest.raises(WatermarkError, match="give a whole number of 255ths") as caught:
        check_epsilon(epsilon)
    assert "\n" not in str(caught.value)
