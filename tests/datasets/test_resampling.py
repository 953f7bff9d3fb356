import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from datadeed.datasets.resampling import ratio, reach, resample

RATES = (4000, 8000, 11025, 16000, 22050, 44100, 48000)


@pytest.mark.parametrize(("old", "new"), [(22050, 8000), (8000, 44100), (8000, 8000)])
def test_it_is_scipys_resampling(old, new):
    sound = np.random.default_rng(0).normal(size=(500, 2))
    up, down = ratio(old, new)
    assert np.array_equal(resample(sound, old, new), resample_poly(sound, up, down, axis=0))


@pytest.mark.parametrize("old", RATES)
@pytest.mark.parametrize("new", RATES)
def test_a_tone_stays_the_tone_it_was(old, new):
    tone = np.sin(2 * np.pi * 500 * np.arange(old // 4) / old)
    heard = resample(tone, old, new)
    assert len(heard) == -(-len(tone) * new // old)
    wanted = np.sin(2 * np.pi * 500 * np.arange(len(heard)) / new)
    inner = slice(len(heard) // 5, -len(heard) // 5)
    assert np.abs(heard - wanted)[inner].max() < 0.01


@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(200, 300))
def test_a_sample_depends_on_no_more_than_its_reach(old, new, at):
    sound = np.zeros(600)
    sound[at] = 1.0
    moved = np.flatnonzero(resample(sound, old, new)) * old / new
    assert np.abs(moved - at).max() <= reach(old, new)
