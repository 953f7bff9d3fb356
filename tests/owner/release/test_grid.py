"""A file's own grid: found where it is coarser than the file's type, and never left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.formats.wav import WavForm
from datadeed.owner.release import grid
from datadeed.owner.release.grid import on_grid
from tests.datasets.formats.wav_toys import KINDS


def form(kind: str) -> WavForm:
    return WavForm(8000, 1, 400, kind, 44)


def sound(kind: str, seed: int = 1, count: int = 400) -> np.ndarray:
    """Whole values over all of the range, (count, 1), as int64; floats' are of 24 bits."""
    full = 2**23 if kind[1] == "f" else form(kind).full_scale
    return np.random.default_rng(seed).integers(-full, full, (count, 1))


def moved(old: np.ndarray, kind: str, seed: int = 2) -> np.ndarray:
    """Half of the values at random."""
    draw = np.random.default_rng(seed)
    full = form(kind).full_scale
    other = draw.uniform(-full, full - 1, old.shape).astype(old.dtype)
    return np.where(draw.random(old.shape) < 0.5, other, old)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind[1] != "f"])
@pytest.mark.parametrize("bits", [0, 1, 4, 7])
def test_bits_that_are_never_set_stay_so(kind: str, bits: int) -> None:
    step = 2**bits
    old = (sound(kind) // step * step).astype(form(kind).dtype)
    old[0] = step if bits < 7 or kind != "u1" else -128  # so that the step is no larger one
    new = moved(old, kind)
    kept = on_grid(new, old, form(kind))
    assert kept.dtype == old.dtype
    assert not (kept % step).any()
    assert np.array_equal(kept[new == old], old[new == old])
    apart = np.abs(kept.astype(np.int64) - new)
    largest = (form(kind).full_scale - 1) // step * step
    assert (apart[new <= largest] <= step // 2).all()
    assert bits or np.array_equal(kept, new)


@pytest.mark.parametrize("law", [grid._mu_law, grid._a_law])
def test_telephone_speech_stays_telephone_speech(law) -> None:  # type: ignore[no-untyped-def]
    levels = law()
    old = np.random.default_rng(1).choice(levels, (400, 1)).astype("<i2")
    new = moved(old, "<i2")
    kept = on_grid(new, old, form("<i2"))
    assert np.isin(kept, levels).all()
    gaps = np.abs(levels.astype(int) - new.reshape(-1, 1)).min(1)
    assert np.array_equal(np.abs(kept.astype(int) - new)[:, 0], gaps)
    assert len(set(kept[new != old].tolist())) > 50


def test_levels_of_telephone_speech_are_those_of_the_standard() -> None:
    """First and last of G.711's tables."""
    mu, a = grid._mu_law(), grid._a_law()
    assert (len(mu), mu[:2].tolist(), mu[126:130].tolist()) == (
        255,
        [-32124, -31100],
        [-8, 0, 8, 16],
    )
    assert (len(a), a[:2].tolist(), a[126:130].tolist()) == (
        256,
        [-32256, -31232],
        [-24, -8, 8, 24],
    )


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("divisor", [2**7, 2**15, 2**15 - 1, 2**23])
def test_floats_of_whole_numbers_stay_such(kind: str, divisor: int) -> None:
    whole = np.random.default_rng(1).integers(-divisor, divisor, (400, 1))
    old = (whole / divisor).astype(kind)
    new = moved(old, kind)
    kept = on_grid(new, old, form(kind))
    back = np.rint(kept.astype(np.float64) * divisor)
    assert np.array_equal((back / divisor).astype(kind), kept)
    assert np.abs(kept.astype(float) - new).max() <= 1.01 / divisor
    assert kept.dtype == old.dtype


def test_other_floats_may_be_anything() -> None:
    old = np.random.default_rng(1).normal(0, 0.1, (400, 1)).astype("<f4")
    new = moved(old, "<f4")
    assert np.array_equal(on_grid(new, old, form("<f4")), new)


@given(st.integers(0, 2**32), st.sampled_from(KINDS))
def test_what_is_on_the_grid_stays(seed: int, kind: str) -> None:
    old = sound(kind, seed, 30)
    old = (old / 2**23 if kind[1] == "f" else old).astype(form(kind).dtype)
    assert on_grid(old, old, form(kind)) is old
    new = np.roll(old, 1)
    assert np.array_equal(on_grid(new, old, form(kind)), new)


def test_silence_has_no_grid() -> None:
    old = np.zeros((9, 1), dtype="<i2")
    assert on_grid(old + 77, old, form("<i2")).tolist() == [[77]] * 9


@given(st.integers(0, 2**32), st.sampled_from(KINDS), st.integers(0, 6), st.integers(1, 999))
def test_a_bound_holds_on_the_grid(seed: int, kind: str, bits: int, bound: int) -> None:
    step = 2**bits
    whole = sound(kind, seed, 50) // step * step
    old = (whole / 2**23 if kind[1] == "f" else whole).astype(form(kind).dtype)
    unit = bound / 2**23 if kind[1] == "f" else bound
    change = np.random.default_rng(seed).integers(-bound, bound + 1, old.shape)
    new = (whole + change).clip(whole.min(), whole.max())
    new = (new / 2**23 if kind[1] == "f" else new).astype(old.dtype)
    kept = grid.within(grid.grid_of(old, form(kind)), new, old, unit)
    assert np.array_equal(grid.grid_of(old, form(kind))(kept), kept)
    assert (np.abs(kept.astype(np.float64) - old) <= unit).all()


def test_a_long_file_is_looked_at_in_parts() -> None:
    """A coarser grid of the first part is not taken for the file's."""
    old = np.zeros((2 * grid._PART, 1), dtype="<i2")
    old[:9], old[-9:] = 256, 24
    assert on_grid(old + 3, old, form("<i2")).ravel()[[0, -1]].tolist() == [256, 24]
    assert on_grid(old + 5, old, form("<i2")).ravel()[[0, -1]].tolist() == [264, 32]
    floats = (old / 2**15).astype("<f4")
    near = on_grid((floats + np.float32(5 / 2**15)).astype("<f4"), floats, form("<f4"))
    assert (near * 2**15).ravel()[[0, -1]].tolist() == [264, 32]
