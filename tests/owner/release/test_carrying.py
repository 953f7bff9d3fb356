from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.formats import wav
from datadeed.datasets.formats.clips import View, clip
from datadeed.errors import WatermarkError
from datadeed.owner.release.carrying import carry, strike
from datadeed.owner.release.grid import grid_of
from tests.datasets.formats.wav_toys import noise, sounds, wav_bytes

EPSILONS = st.one_of(st.integers(1, 2000), st.floats(0.001, 2000), st.just(1e-30))


def exactly(values):
    return [Fraction(value) for value in values.ravel().tolist()]


@given(sounds(), EPSILONS, st.integers(1, 40), st.integers(0, 30), st.integers(0, 99))
def test_no_value_changes_by_more_than_the_bound(sound, epsilon, length, offset, seed):
    data, frames, kind, _ = sound
    if seed % 2 and kind[1] == "f":
        frames = frames * np.array(1e-20, kind)
    form, view = wav.read_form("x", data), View(seconds=length / 8000, offset=offset / 8000)
    delta = np.random.default_rng(seed).choice([-1.0, -0.3, 0.0, 1.0], length) * epsilon * 1.5
    old = frames.copy()
    new = carry(frames, form, delta, view, epsilon=epsilon)
    assert np.array_equal(frames, old)
    assert (new.shape, new.dtype) == (frames.shape, frames.dtype)
    bound = Fraction(epsilon) * form.full_scale / 2**15
    for one, other in zip(exactly(old), exactly(new), strict=True):
        assert abs(one - other) <= bound
        assert -form.full_scale <= other
        assert other <= form.full_scale - (kind[1] != "f")
    wav.encode("x", new, form)  # in range
    start = view.first(form.rate)
    stop = start + -(-length * form.rate // 8000)
    assert np.array_equal(new[:start], old[:start])
    assert np.array_equal(new[stop:], old[stop:])


@given(st.integers(0, 99), st.integers(1, 50))
def test_at_the_models_own_rate_the_very_change_arrives(seed, epsilon):
    draw = np.random.default_rng(seed)
    frames = draw.integers(-30000, 30000, (60, 1)).astype(np.int16)
    delta = draw.integers(-epsilon, epsilon + 1, 40)
    form, view = wav.read_form("x", wav_bytes(frames)), View(seconds=40 / 8000, offset=5 / 8000)
    new = carry(frames, form, delta, view, epsilon=epsilon)
    assert (new - frames)[5:45, 0].tolist() == delta.tolist()


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 48000])
@pytest.mark.parametrize("kind", ["<i2", "<i3", "<f4"])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_model_hears_the_change_in_the_file(rate, kind, channels):
    """Of band-limited noise, far below full scale, nearly all comes back."""
    moments = np.arange(800) / 8000
    delta = sum(9 * np.sin(2 * np.pi * hertz * moments + hertz) for hertz in (350, 1130, 2900))
    frames = (
        noise(rate // 8, channels, kind) // 4
        if kind != "<f4"
        else noise(rate // 8, channels) / 2**18
    )
    frames = frames.astype({"<i3": "<i4"}.get(kind, kind))
    data = wav_bytes(frames, kind, rate)
    form, view = wav.read_form("x", data), View(seconds=0.1)
    marked = wav_bytes(carry(frames, form, delta, view, epsilon=30), kind, rate)
    heard = clip("x", marked, form, view).astype(int) - clip("x", data, form, view)
    inner = slice(20, -20)
    assert np.abs(heard - delta)[inner].mean() < (1.0 if kind == "<i2" else 0.5)


def test_floats_above_full_scale_stay_or_come_nearer():
    frames = np.array([[1.5], [-1.5], [0.9999]], "<f4")
    form, view = wav.read_form("x", wav_bytes(frames, "<f4")), View(seconds=3 / 8000)
    new = carry(frames, form, np.array([9, -9, 9.0]), view, epsilon=9)
    assert new.ravel().tolist() == [1.5, -1.5, 1.0]
    new = carry(frames, form, np.array([-9, 9, 0.0]), view, epsilon=9)
    assert new.ravel().tolist() == [1.5 - 9 / 2**15, -1.5 + 9 / 2**15, frames[2, 0]]


def test_eight_bits_cannot_hold_a_small_change():
    frames = noise(40, 1, "u1")
    form, view = wav.read_form("x", wav_bytes(frames, "u1")), View(seconds=40 / 8000)
    small = carry(frames, form, np.full(40, 127.0), view, epsilon=127)
    assert np.array_equal(small, frames)
    new = carry(frames, form, np.full(40, 300.0), view, epsilon=300)
    assert set((new - frames).ravel().tolist()) <= {0, 1, 2}  # 300 steps of 128, cut off at 127
    assert (new > frames).sum() > 20


@pytest.mark.parametrize(
    ("length", "epsilon"), [(39, 1), (41, 1), (40, 0), (40, -1), (40, float("inf"))]
)
def test_a_change_that_does_not_fit_is_refused(length, epsilon):
    form = wav.read_form("x", wav_bytes(noise(50)))
    with pytest.raises(WatermarkError, match="does not fit clips of 40") as caught:
        carry(noise(50), form, np.zeros(length), View(seconds=40 / 8000), epsilon=epsilon)
    assert "\n" not in str(caught.value)


@given(
    sounds(), st.integers(0, 20), st.integers(1, 20), st.integers(-32768, 32767), st.integers(0, 9)
)
def test_an_impulse_sets_its_frames_and_no_others(sound, start, length, amplitude, offset):
    data, frames, kind, rate = sound
    form, view = wav.read_form("x", data), View(seconds=40 / 8000, offset=offset / 8000)
    old, where = frames.copy(), {"start": start, "length": length, "amplitude": amplitude}
    shift = round(offset * rate / 8000)
    first, stop = (shift + round(n * rate / 8000) for n in (start, start + length))
    if stop > len(frames):
        with pytest.raises(WatermarkError, match="after the sound"):
            strike(frames, form, view, **where)
        return
    new = strike(frames, form, view, **where)
    assert np.array_equal(frames, old)
    assert (new.shape, new.dtype) == (frames.shape, frames.dtype)
    assert np.array_equal(
        np.delete(new, np.s_[first:stop], 0), np.delete(old, np.s_[first:stop], 0)
    )
    wanted = Fraction(amplitude, 2**15) * form.full_scale
    for value in exactly(new[first:stop]):
        assert abs(value - wanted) <= (0 if kind[1] == "f" else Fraction(1, 2))
    wav.encode("x", new, form)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_the_model_hears_an_impulse(rate):
    frames = np.zeros((rate // 4, 2), np.int16)
    data = wav_bytes(frames, rate=rate)
    form, view = wav.read_form("x", data), View(seconds=0.2)
    marked = strike(frames, form, view, start=100, length=80, amplitude=164)
    heard = clip("x", wav_bytes(marked, rate=rate), form, view)
    assert np.abs(heard[110:170] - 164.0).max() <= 16
    assert np.abs(heard[:90]).max() <= 16
    assert np.abs(heard[190:]).max() <= 16
    assert heard[:180].sum() == pytest.approx(164 * 80, rel=0.02)


def test_an_impulse_outside_the_view_is_refused():
    form = wav.read_form("x", wav_bytes(noise(500)))
    with pytest.raises(WatermarkError, match="ends at sample 50"):
        strike(noise(500), form, View(seconds=40 / 8000), start=0, length=50, amplitude=9)


@pytest.mark.parametrize(("step", "value"), [(1, 164), (16, 160), (256, 256)])
def test_an_impulse_stays_on_the_grid_of_its_file(step, value):
    frames = noise(500) // step * step
    form = wav.read_form("x", wav_bytes(frames))
    at = {"start": 5, "length": 9, "amplitude": 164, "snap": grid_of(frames, form)}
    new = strike(frames, form, View(seconds=40 / 8000), **at)
    assert (new[5:14] == value).all()


def test_an_impulse_that_is_lost_on_the_grid_of_its_file_is_refused():
    frames = noise(500) // 512 * 512
    form = wav.read_form("x", wav_bytes(frames))
    at = {"start": 5, "length": 9, "amplitude": 164, "snap": grid_of(frames, form)}
    with pytest.raises(WatermarkError, match="an impulse of 164 is 0 in it"):
        strike(frames, form, View(seconds=40 / 8000), **at)
