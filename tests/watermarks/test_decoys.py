import pytest
import torch

from datadeed.errors import WatermarkError
from datadeed.watermarks.decoys import random_cells

OWN = torch.tensor([[0, 0, 255], [0, 255, 0], [255, 0, 255]], dtype=torch.uint8)


def keys(patterns):
    return [tuple(pattern.flatten().tolist()) for pattern in patterns]


def test_decoys_are_black_and_white_all_different_and_never_the_true_one():
    decoys = random_cells((3, 3), 99, 1, OWN)
    assert len(set(keys(decoys))) == 99
    assert keys([OWN])[0] not in keys(decoys)
    for cells in decoys:
        assert (cells.shape, cells.dtype) == ((3, 3), torch.uint8)
        assert set(cells.unique().tolist()) <= {0, 255}


def test_all_there_are():
    assert len(set(keys(random_cells((3, 3), 511, 1, OWN)))) == 511


def test_the_seed_decides():
    one, same, other = (
        keys(random_cells((8, 8), 20, seed, OWN.new_zeros(8, 8))) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_more_decoys_go_on_where_fewer_end():
    assert keys(random_cells((3, 3), 50, 4, OWN))[:20] == keys(random_cells((3, 3), 20, 4, OWN))


def test_cells_are_fair_coins():
    """2 x 2 cells, one decoy for each of 3,000 seeds: 15 patterns, 200 of each expected."""
    avoid = torch.zeros(2, 2, dtype=torch.uint8)
    drawn = [keys(random_cells((2, 2), 1, seed, avoid))[0] for seed in range(3000)]
    counts = torch.tensor([drawn.count(pattern) for pattern in set(drawn)]).float()
    assert len(counts) == 15
    assert float(((counts - 200) ** 2 / 200).sum()) < 36.1  # chi-square, 14 degrees: 0.001


def test_a_grey_pattern_takes_none_of_the_family_away():
    grey = torch.full((1, 2), 128, dtype=torch.uint8)
    assert len(set(keys(random_cells((1, 2), 4, 1, grey)))) == 4


@pytest.mark.parametrize(
    ("shape", "count", "words"),
    [
        ((3, 3), 512, "512 decoys of 3x3 .* give 1 to 511"),
        ((3, 3), 0, "0 decoys"),
        ((6, 6), 5, r"\(3, 3\) cells, but decoys of \(6, 6\)"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(shape, count, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        random_cells(shape, count, 1, OWN)
    assert "\n" not in str(caught.value)
