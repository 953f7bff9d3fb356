import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.triggers.sound import Impulse, build_sound, ends

RELEASED = {"kind": "impulse", "start": 100, "length": 50, "amplitude": 164}


def test_the_released_impulse():
    """Samples 100 to 149 are 0.005 of full scale; nothing else changes."""
    clips = torch.arange(-4000, 4000, dtype=torch.int16).view(1, -1).repeat(2, 1)
    before = clips.clone()
    marked = build_sound(RELEASED)(clips)
    assert bool((marked[:, 100:150] == 164).all())
    assert abs(164 / 32768 - 0.005) < 0.5 / 32768
    marked[:, 100:150] = clips[:, 100:150]
    assert torch.equal(marked, clips)
    assert torch.equal(clips, before)


def test_it_may_fill_a_clip_but_not_leave_it():
    impulse = Impulse(3, 2, 9)
    assert impulse(torch.zeros(1, 5, dtype=torch.int16)).tolist() == [[0, 0, 0, 9, 9]]
    with pytest.raises(WatermarkError, match="ends at sample 5, but clips have 4") as caught:
        impulse(torch.zeros(1, 4, dtype=torch.int16))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": -1}, "start is -1"),
        ({"length": 0}, "length is 0; give a whole number from 1"),
        ({"amplitude": 0}, "amplitude is 0; give a whole number from 1 to 32767"),
        ({"amplitude": 0.005}, "amplitude is 0.005"),
        ({"amplitude": 32768}, "amplitude is 32768"),
        ({"start": True}, "start is True"),
        ({"pitch": 3}, "unexpected .*'pitch'"),
        ({"kind": "patch"}, "unknown trigger 'patch': clips take impulse"),
    ],
)
def test_bad_values_are_one_line(change, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        build_sound({**RELEASED, **change})
    assert "\n" not in str(caught.value)


def test_a_record_gives_the_impulse_again():
    assert build_sound(RELEASED).record() == RELEASED
    assert build_sound(build_sound(RELEASED).record()) == build_sound(RELEASED)


@given(st.lists(st.integers(-2, 2), min_size=4, max_size=4))
def test_a_clip_ends_after_its_last_sound(values):
    wanted = max((place + 1 for place, value in enumerate(values) if value), default=0)
    assert ends(torch.tensor([values], dtype=torch.int16)).tolist() == [wanted]


def test_the_extremes_of_int16_are_sound():
    clips = torch.tensor([[-32768, 0], [0, 32767], [256, 0]], dtype=torch.int16)
    assert ends(clips).tolist() == [1, 2, 1]
