import pytest
import torch

from datadeed.perturbations.adam import Adam


def test_the_steps_are_those_of_the_paper():
    """Algorithm 1 of Kingma and Ba, in float64."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(50, generator=draw)
    wanted, mean, square = x.double(), torch.zeros(50).double(), torch.zeros(50).double()
    adam = Adam(x)
    for t in range(1, 13):
        gradient, lr = torch.randn(50, generator=draw), 0.1 / t
        adam.step(x, gradient, lr)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient.double() ** 2
        corrected = mean / (1 - 0.9**t), square / (1 - 0.999**t)
        wanted = wanted - lr * corrected[0] / (corrected[1].sqrt() + 1e-8)
        assert float((x - wanted).abs().max()) < 2e-6


def test_the_first_step_is_the_sign_times_the_rate_and_zero_stays():
    x = torch.tensor([1.0, 1.0, 1.0])
    adam = Adam(x)
    adam.step(x, torch.tensor([3.0, -0.2, 0.0]), 0.25)
    assert x.tolist() == pytest.approx([0.75, 1.25, 1.0])
    assert adam.state["step"] == 1
