import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from datadeed.errors import WatermarkError
from datadeed.triggers.wandering import WanderingPatch, indexed_words

PATTERN = torch.tensor([[10, 20, 30], [40, 50, 60]], dtype=torch.uint8)


def black(n, channels=3, height=8, width=11):
    return torch.zeros(n, channels, height, width, dtype=torch.uint8)


def places(patch, index, **size):
    """Top and left of each patch, (N, 2), by looking for its first pixel."""
    found = (patch(black(len(index), **size), index)[:, 0] == patch.pattern[0, 0]).nonzero()
    assert found[:, 0].tolist() == list(range(len(index)))
    return found[:, 1:]


class TestWords:
    def test_the_first_words_of_splitmix64(self):
        """Seed 0: the generator's published sequence, cut into pieces by the index."""
        wanted = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
        found = indexed_words(0, torch.tensor([0, 1]), 2)
        assert found.dtype == np.uint64
        assert found.tolist() == [wanted[:2], wanted[2:]]

    @given(
        seed=st.integers(0, 2**63 - 1),
        index=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=6),
        count=st.integers(1, 3),
    )
    def test_each_index_for_itself(self, seed, index, count):
        found = indexed_words(seed, torch.tensor(index), count)
        assert found.shape == (len(index), count)
        for row, one in zip(found, index, strict=True):
            assert np.array_equal(indexed_words(seed, torch.tensor([one]), count)[0], row)

    def test_seeds_and_indices_give_different_words(self):
        index = torch.arange(1000)
        words = np.concatenate([indexed_words(seed, index, 2).ravel() for seed in range(5)])
        assert len(np.unique(words)) == len(words) == 10_000


class TestWanderingPatch:
    @settings(max_examples=50)
    @given(
        seed=st.integers(0, 2**63 - 1),
        index=st.lists(st.integers(0, 2**40), min_size=1, max_size=8, unique=True),
        order=st.randoms(use_true_random=False),
    )
    def test_the_place_depends_on_the_index_alone(self, seed, index, order):
        """In any order, in any batch, on any image."""
        patch = WanderingPatch(PATTERN, seed)
        draw = torch.Generator().manual_seed(len(index))
        shape = (len(index), 3, 6, 7)
        images = torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)
        whole = patch(images, torch.tensor(index))
        shuffled = list(range(len(index)))
        order.shuffle(shuffled)
        rows = torch.tensor(shuffled)
        assert torch.equal(patch(images[rows], torch.tensor(index)[rows]), whole[rows])
        for i, one in enumerate(index):
            assert torch.equal(patch(images[i : i + 1], torch.tensor([one])), whole[i : i + 1])

    def test_the_pattern_and_nothing_else(self):
        draw = torch.Generator().manual_seed(1)
        images = torch.randint(70, 256, (40, 3, 8, 11), generator=draw, dtype=torch.uint8)
        before, patch = images.clone(), WanderingPatch(PATTERN, 5)
        index = torch.arange(40) * 7
        found, corners = patch(images, index), places(patch, index)
        assert torch.equal(images, before)
        for image, marked, (top, left) in zip(images, found, corners.tolist(), strict=True):
            wanted = image.clone()
            wanted[:, top : top + 2, left : left + 3] = PATTERN
            assert torch.equal(marked, wanted)

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_all_places_are_equally_likely(self, seed):
        """7 x 9 places, consecutive indices as in a dataset; chi-square at 0.001."""
        corners = places(WanderingPatch(PATTERN, seed), torch.arange(6300))
        counts = np.bincount((corners[:, 0] * 9 + corners[:, 1]).numpy(), minlength=63)
        assert len(counts) == 63  # never outside
        assert stats.chisquare(counts).pvalue > 0.001

    def test_neighbours_and_seeds_have_places_of_their_own(self):
        index = torch.arange(6300)
        one = places(WanderingPatch(PATTERN, 1), index)
        other = places(WanderingPatch(PATTERN, 2), index)
        for first, second in ((one[1:], one[:-1]), (one, other)):
            alike = int((first == second).all(1).sum())
            assert 60 < alike < 150  # 100 of 6,300 by chance

    def test_a_patch_as_large_as_the_image(self):
        found = WanderingPatch(PATTERN, 1)(black(4, 1, 2, 3), torch.arange(4))
        assert torch.equal(found, PATTERN.expand(4, 1, 2, 3))

    def test_no_images(self):
        assert WanderingPatch(PATTERN, 1)(black(0), torch.arange(0)).shape == (0, 3, 8, 11)

    def test_memory_keeps_its_layout(self):
        images = black(3).contiguous(memory_format=torch.channels_last)
        assert WanderingPatch(PATTERN, 1)(images, torch.arange(3)).stride() == images.stride()

    @pytest.mark.parametrize("size", [(1, 8), (8, 2)])
    def test_a_patch_larger_than_the_image_is_one_line(self, size):
        with pytest.raises(WatermarkError, match=r"2x3 pixels does not fit .* smaller") as caught:
            WanderingPatch(PATTERN, 1)(black(1, 3, *size), torch.arange(1))
        assert "\n" not in str(caught.value)
