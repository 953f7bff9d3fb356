"""Sweeps: exact values, inside the clip, of the frequency and loudness that were asked for."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.triggers.sweeps import FULL, TURN, Sweep, blend, lay, loudness


def tone(hertz: int, rate: int, length: int, *, start: int = 0, amplitude: int = 1000) -> Sweep:
    step = hertz * TURN // rate
    return Sweep(start, length, step, step, 0, amplitude)


def silence(length: int) -> np.ndarray:
    return np.zeros(length, dtype=np.int16)


def test_known_values() -> None:
    """Whoever opens a key in ten years must get the same: a change needs another name."""
    clip = (np.arange(2000) * 37 % 4001 - 2000).astype(np.int16)
    glide = Sweep(100, 700, 300 * TURN // 8000, 1700 * TURN // 8000, 12345678, 20_000)
    marked = blend(lay(clip, [glide, tone(440, 8000, 500, start=1700)]), clip[::-1][:1500], 100)
    assert hashlib.sha256(marked.tobytes()).hexdigest()[:16] == "8de7edbe80a655b7"


@pytest.mark.parametrize("rate", [4000, 8000, 44_100, 192_000])
@pytest.mark.parametrize("hertz", [261, 1000, 1753])
def test_a_tone_has_its_frequency_and_loudness(rate: int, hertz: int) -> None:
    length = rate // 4
    heard = lay(silence(length), [tone(hertz, rate, length, amplitude=8000)]).astype(float)
    spectrum = np.abs(np.fft.rfft(heard))
    assert abs(spectrum.argmax() * 4 - hertz) <= 4  # bins of 4 Hz
    middle = heard[length // 4 : 3 * length // 4]
    assert np.sqrt((middle**2).mean()) == pytest.approx(8000 / math.sqrt(2), rel=0.03)


@pytest.mark.parametrize("rate", [8000, 192_000])
@pytest.mark.parametrize(("first", "last"), [(300, 1500), (1500, 300)])
def test_a_glide_passes_from_one_frequency_to_the_other(rate: int, first: int, last: int) -> None:
    """Its phase is that of a chirp in floating point, to a hundredth of a turn."""
    length = rate // 2
    begin, end = (hertz * TURN // rate for hertz in (first, last))
    heard = lay(silence(length), [Sweep(0, length, begin, end, 0, FULL)]).astype(float)
    seconds = np.arange(length) / rate
    turns = first * seconds + (last - first) * seconds * (seconds - 1 / rate)
    wanted = FULL * np.sin(2 * np.pi * turns)
    inner = slice(length // 8, -length // 8)
    assert np.abs(heard - wanted)[inner].max() < 0.07 * FULL


def test_a_sweep_fades_in_and_out() -> None:
    heard = np.abs(lay(silence(800), [tone(1000, 8000, 800, amplitude=20_000)]).astype(int))
    assert heard[:8].max() < heard[40:60].max() < heard[300:500].max()
    assert heard[-8:].max() < heard[-60:-40].max() < heard[300:500].max()


@given(start=st.integers(-60, 130), length=st.integers(1, 90), level=st.integers(0, 65_535))
def test_what_lies_outside_is_cut_off_and_the_rest_is_the_same(
    start: int, length: int, level: int
) -> None:
    clip = np.full(100, 5, dtype=np.int16)
    wide = lay(
        np.full(300, 5, dtype=np.int16),
        [tone(700, 8000, length, start=start + 100, amplitude=level)],
    )
    assert np.array_equal(
        lay(clip, [tone(700, 8000, length, start=start, amplitude=level)]), wide[100:200]
    )
    assert (clip == 5).all()


def test_too_loud_is_clipped_not_wrapped() -> None:
    loud = np.full(800, 30_000, dtype=np.int16)
    heard = lay(loud, [tone(500, 8000, 800, amplitude=65_535)])
    assert heard.max() == 32_767
    assert heard.min() < 0


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=50))
def test_loudness_is_the_root_of_the_mean_square(values: list[int]) -> None:
    found = loudness(np.array(values, dtype=np.int16))
    mean = sum(value**2 for value in values) / len(values)
    assert found <= math.sqrt(mean) < found + 1.01


def test_loudness_of_nothing_is_none() -> None:
    assert loudness(silence(0)) == loudness(silence(9)) == 0


@given(
    st.lists(st.tuples(*[st.integers(-32768, 32767)] * 2), min_size=1, max_size=20),
    st.integers(0, 255),
    st.integers(-5, 5),
)
def test_a_blend_is_the_nearest_to_the_weighted_mean(
    pairs: list[tuple[int, int]], weight: int, longer: int
) -> None:
    one, other = np.array(pairs, dtype=np.int16).T
    partner = np.resize(other, max(0, len(other) + longer))
    heard = blend(one, partner, weight)
    padded = np.zeros(len(one))
    padded[: len(partner)] = partner[: len(one)]
    wanted = (one * (255.0 - weight) + padded * weight) / 255
    assert np.abs(heard - wanted).max() <= 0.5 + 1e-9
    assert heard.dtype == np.int16
