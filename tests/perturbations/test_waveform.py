import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from datadeed.errors import WatermarkError
from datadeed.perturbations.waveform import pgd_waveform
from tests.toy_model import ToyModel

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, -0.25])  # of logit 0; logit 1 is always 0


class Linear(ToyModel):
    """Known weights: PGD's direction is known, and the same all along."""

    modality = "audio"

    def __init__(self):
        super().__init__()
        self.weight, self.asked = nn.Parameter(WEIGHTS.clone()), []

    def forward(self, x):
        assert x.dtype == torch.float32
        self.asked.append((self.training, float(x.detach().abs().max())))
        return torch.stack([x @ self.weight, torch.zeros(len(x))], 1)


def run(clips, labels, model=None, **values):
    chosen = {"epsilon": 8, "step": 3.0, "steps": 5, **values}
    return pgd_waveform(model or Linear(), clips, labels, **chosen)


LEVELS = st.sampled_from([-32768, 32767]) | st.integers(-32768, 32767)


@settings(max_examples=60)
@given(epsilon=st.integers(1, 32767), levels=st.lists(LEVELS, min_size=8, max_size=8))
def test_enough_steps_end_on_the_bound_against_the_true_label(epsilon, levels):
    clips = torch.tensor(levels, dtype=torch.int16).view(2, 4)
    found = run(clips, torch.tensor([0, 1]), epsilon=epsilon, step=epsilon / 2, steps=3)
    away = torch.stack([-WEIGHTS.sign(), WEIGHTS.sign()]).int()
    wanted = (clips.int() + epsilon * away).clamp(-32768, 32767)
    for row, clip in enumerate(clips.tolist()):  # the zeros at a clip's end stay
        while clip and clip[-1] == 0:
            clip.pop()
        wanted[row, len(clip) :] = 0
    assert found.dtype == torch.int16
    assert torch.equal(found.int(), wanted)
    assert int((found.int() - clips.int()).abs().max()) <= epsilon


@pytest.mark.parametrize(
    ("step", "steps", "moved"), [(3.0, 1, 3), (3.0, 2, 6), (3.0, 9, 8), (0.25, 8, 2), (0.1, 3, 0)]
)
def test_a_step_is_as_long_as_it_says(step, steps, moved):
    clips = torch.full((1, 4), 1000, dtype=torch.int16)
    found = run(clips, torch.tensor([0]), step=step, steps=steps)
    assert (found - clips).tolist() == [[-moved, moved, -moved, moved]]


def test_batches_change_nothing_and_progress_counts_clips():
    draw = torch.Generator().manual_seed(1)
    clips = torch.randint(-32768, 32768, (7, 4), generator=draw).to(torch.int16)
    labels, told, before = torch.tensor([0, 1, 1, 0, 1, 0, 0]), [], clips.clone()
    found = run(clips, labels, batch_size=3, on_progress=told.append)
    assert torch.equal(found, run(clips, labels))
    assert told == [3, 6, 7]
    assert torch.equal(clips, before)


def test_the_model_is_asked_in_evaluation_mode_at_full_scale_1_and_not_changed():
    model = Linear().train()
    run(torch.full((1, 4), -32768, dtype=torch.int16), torch.tensor([1]), model)
    assert not any(training for training, _ in model.asked)
    assert max(loudest for _, loudest in model.asked) == 1.0
    assert torch.equal(model.weight, WEIGHTS)
    assert model.weight.grad is None


def test_silence_stays_silent():
    clips = torch.zeros(2, 4, dtype=torch.int16)
    clips[1, 1] = 5  # a zero before it is sound, those after it are filling
    found = run(clips, torch.tensor([0, 0]))
    assert found.tolist() == [[0, 0, 0, 0], [-8, 13, 0, 0]]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilon": 0}, "epsilon is 0: give a whole number of 16-bit steps, from 1 to 32767"),
        ({"epsilon": 32768}, "epsilon is 32768"),
        ({"epsilon": 5e-5}, "epsilon is 5e-05"),
        ({"steps": 0}, "PGD with 0 steps"),
        ({"step": 0.0}, "give 1 step or more"),
        ({"step": float("nan")}, "steps of nan 16-bit"),
    ],
)
def test_bad_values_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        run(torch.zeros(1, 4, dtype=torch.int16), torch.tensor([0]), **values)
    assert "\n" not in str(caught.value)
