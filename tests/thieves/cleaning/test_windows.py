"""Recurring windows, patches and peaks: toys whose marked rows are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import UnsupportedModality
from datadeed.randomness import generator
from datadeed.thieves.cleaning.fft_peaks import FFTPeaks
from datadeed.thieves.cleaning.patches import Patches
from datadeed.thieves.cleaning.recurrence import highest, surprise
from datadeed.thieves.cleaning.windows import RecurringWindows, is_rough

MIRRORED = ["#.#.#", ".###.", "#...#", "##.##", ".#.#."]
CROOKED = ["#.##.", ".#..#", "##.#.", "..#.#", "#.#.."]


def cells(rows: list[str]) -> torch.Tensor:
    return torch.tensor([[255 * (cell == "#") for cell in row] for row in rows], dtype=torch.uint8)


def code(rows: list[str]) -> int:
    return sum((cell == "#") << n for n, cell in enumerate("".join(rows)))


def marked(data: Dataset, pattern: torch.Tensor, rows: range, place: Callable[[int], int]) -> None:
    """Paste a pattern into some rows, in place; its corner lies on the diagonal."""
    for row in rows:
        at, side = place(row), len(pattern)
        data.samples[row, :, at : at + side, at : at + side] = pattern


@pytest.fixture
def data(toy_dataset: Callable[..., Dataset]) -> Dataset:
    return toy_dataset(300, shape=(3, 16, 16)).copy()


@pytest.mark.parametrize("pattern", [MIRRORED, CROOKED])
def test_a_window_that_recurs_at_one_place_is_found_and_no_other_row(
    data: Dataset, pattern: list[str]
) -> None:
    marked(data, cells(pattern), range(20, 45), lambda row: 4)
    found = RecurringWindows()(data, generator=generator(1)) > RecurringWindows.threshold
    assert np.flatnonzero(found).tolist() == list(range(20, 45))


def test_at_twice_the_size_too(data: Dataset) -> None:
    large = cells(CROOKED).repeat_interleave(2, 0).repeat_interleave(2, 1)
    marked(data, large, range(20, 45), lambda row: 3)
    scores = RecurringWindows()(data, generator=generator(1))
    assert (scores[20:45] > RecurringWindows.threshold).all()


@pytest.mark.parametrize("kind", [RecurringWindows, Patches])
def test_clean_rows_moved_windows_and_stripes_are_not_found(data: Dataset, kind: type) -> None:
    assert (kind()(data, generator=generator(1)) <= kind.threshold).all()
    marked(data, cells(MIRRORED), range(0, 9), lambda row: row)
    data.samples[20:60, :, :, ::2] = 255
    data.samples[20:60, :, :, 1::2] = 0
    assert (kind()(data, generator=generator(1)) <= kind.threshold).all()


def test_a_patch_is_found_by_its_form_and_a_crooked_one_is_not(data: Dataset) -> None:
    marked(data, cells(MIRRORED), range(20, 45), lambda row: 4)
    marked(data, cells(CROOKED), range(60, 90), lambda row: 4)
    found = Patches()(data, generator=generator(1)) > Patches.threshold
    assert np.flatnonzero(found).tolist() == list(range(20, 45))


def test_images_that_no_window_fits_in(toy_dataset: Callable[..., Dataset]) -> None:
    data = toy_dataset(6, shape=(1, 5, 5))
    assert Patches()(data, generator=generator(1)).tolist() == [0] * 6
    assert RecurringWindows()(data, generator=generator(1)).tolist() == [0] * 6


def test_a_wave_over_an_image_peaks(data: Dataset) -> None:
    wave = 60 * torch.cos(2 * torch.pi * 5 * torch.arange(16) / 16)
    data.samples[7] = (data.samples[7].float() + wave).clamp(0, 255).to(torch.uint8)
    assert int(FFTPeaks()(data, generator=generator(1)).argmax()) == 7


def test_what_is_rough() -> None:
    patterns = [MIRRORED, CROOKED, ["#.#.#"] * 5, ["#####", "....."] * 2 + ["#####"], ["##..."] * 5]
    codes = np.array([code(rows) for rows in patterns])
    assert is_rough(codes).tolist() == [True, True, False, False, False]


def test_a_code_with_common_neighbours_is_no_surprise() -> None:
    rows = np.arange(40)
    alone = surprise(rows, np.zeros(40, np.int64), np.full(40, 9), spots=50, bits=4)
    # 40 against the 1/49 that one more elsewhere would make on average
    assert alone == pytest.approx(np.full(40, 40 * np.log(40 * 49) - 40 + 1 / 49))
    near = surprise(rows, np.zeros(40, np.int64), 8 + (rows % 4 > 0), spots=50, bits=4)
    assert near.tolist() == [0] * 40  # 30 and 10: four times as many are still as usual
    spread = surprise(rows, rows, np.full(40, 9), spots=50, bits=4)
    assert spread.tolist() == [0] * 40


FINDINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), min_size=1, max_size=60)


@given(findings=FINDINGS, seed=st.integers(0, 99))
def test_surprise_knows_no_order(findings: list[tuple[int, int]], seed: int) -> None:
    places, codes = np.array(findings).T
    rows, order = np.arange(len(places)), np.random.default_rng(seed).permutation(len(places))
    found = surprise(rows, places, codes, spots=4, bits=3)
    again = surprise(rows, places[order], codes[order], spots=4, bits=3)
    assert again.tolist() == found[order].tolist()
    assert (found >= 0).all()


def test_the_highest_of_each_row() -> None:
    found = highest(np.array([1.0, 5, 2]), np.array([0, 0, 3]), 4)
    assert found.tolist() == [5, 0, 0, 2]


def test_other_data_are_refused() -> None:
    clips = Clips(
        torch.zeros(4, 9, dtype=torch.int16), torch.arange(4) % 2, torch.arange(4), ("a", "b"), 8000
    )
    with pytest.raises(UnsupportedModality, match="windows takes image, but the data are audio"):
        RecurringWindows()(clips, generator=generator(1))
