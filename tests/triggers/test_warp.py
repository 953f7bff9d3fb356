import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from datadeed.randomness import generator
from datadeed.triggers.warp import warp, warping_grid


def identity(height, width):
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return torch.from_numpy(np.stack([x, y], axis=2))


def noise(n=5, channels=3, height=11, width=9, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, height, width), generator=draw, dtype=torch.uint8)


class TestWarp:
    def test_the_identity_changes_nothing(self):
        assert torch.equal(warp(noise(), identity(11, 9)), noise())

    def test_a_shift_by_one_pixel(self):
        grid = identity(11, 9)
        grid[:, :, 0] += 2 / 8  # one of the 8 steps between columns
        warped = warp(noise(), grid)
        assert torch.equal(warped[..., :-1], noise()[..., 1:])
        assert torch.equal(warped[..., -1], noise()[..., -1])  # the border's own pixel

    def test_halfway_between_two_pixels_is_their_mean(self):
        images = torch.tensor([[10, 20, 255]], dtype=torch.uint8).expand(1, 1, 2, 3)
        grid = identity(2, 3)
        grid[:, :, 0] += 0.5
        assert warp(images, grid)[0, 0].tolist() == [[15, 138, 255]] * 2  # 137.5 rounds to even

    @given(
        height=st.integers(2, 12),
        width=st.integers(2, 12),
        k=st.integers(2, 6),
        strength=st.floats(0.01, 3),
        seed=st.integers(0, 99),
    )
    @settings(max_examples=30)
    def test_an_independent_interpolation_agrees(self, height, width, k, strength, seed):
        grid = warping_grid(height, width, grid=k, strength=strength, generator=generator(seed))
        images = noise(2, 1, height, width, seed)
        columns = (grid[..., 0].numpy() + 1) / 2 * (width - 1)
        rows = (grid[..., 1].numpy() + 1) / 2 * (height - 1)
        for image, warped in zip(images[:, 0], warp(images, grid)[:, 0], strict=True):
            exact = ndimage.map_coordinates(
                image.double().numpy(), [rows, columns], order=1, mode="nearest"
            )
            assert np.abs(warped.numpy() - exact).max() <= 0.5 + 1e-9

    def test_the_batch_and_the_memory_layout_do_not_matter(self):
        grid = warping_grid(11, 9, grid=4, strength=1.0, generator=generator(1))
        images = noise(600)
        before, together = images.clone(), warp(images, grid)
        assert torch.equal(images, before)
        assert (together.dtype, together.shape) == (torch.uint8, images.shape)
        alone = torch.cat([warp(image, grid) for image in images[250:270].split(1)])
        assert torch.equal(alone, together[250:270])
        channels_last = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        assert torch.equal(warp(channels_last, grid), together)

    def test_no_image_gives_none(self):
        assert warp(noise(0), identity(11, 9)).shape == (0, 3, 11, 9)


class TestGrid:
    def test_shifts_are_the_normalised_draws_where_pixels_meet_them(self):
        """4 shifts: every fourth row and eighth column lies on one, the inner ones unclamped."""
        grid = warping_grid(13, 25, grid=4, strength=0.5, generator=generator(3))
        drawn = 2 * torch.rand(2, 4, 4, generator=generator(3), dtype=torch.float64) - 1
        drawn /= drawn.abs().mean()
        found = (grid - identity(13, 25))[4:9:4, 8:17:8] * 13 / 0.5
        assert torch.allclose(found.permute(2, 0, 1), drawn[:, 1:3, 1:3])

    @pytest.mark.parametrize("strength", [0.1, 0.5, 50.0])
    def test_it_stays_in_the_image(self, strength):
        grid = warping_grid(20, 30, grid=4, strength=strength, generator=generator(3))
        assert (grid.shape, grid.dtype) == ((20, 30, 2), torch.float64)
        assert float(grid.abs().max()) == 1

    def test_the_strength_scales_the_shifts(self):
        weak, strong = (
            warping_grid(32, 32, grid=4, strength=s, generator=generator(5)) - identity(32, 32)
            for s in (0.1, 0.2)
        )
        assert torch.allclose(2 * weak[8:-8, 8:-8], strong[8:-8, 8:-8])

    def test_the_generator_decides(self):
        one, same, other = (
            warping_grid(8, 8, grid=4, strength=0.5, generator=generator(seed))
            for seed in (1, 1, 2)
        )
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
