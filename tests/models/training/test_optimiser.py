"""Our optimisers take the steps of torch.optim's classes, bit for bit."""

import copy

import pytest
import torch
from torch import nn

from datadeed.models.training.optimiser import SGD, AdamW
from datadeed.models.training.state import restore_state, save_state

STEPS = 50


def network() -> nn.Module:
    convolution = nn.Conv2d(2, 4, 3, bias=False)
    model = nn.Sequential(convolution, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 3))
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=draw)
    return model.to(memory_format=torch.channels_last)


def same_steps(ours: nn.Module, mine, theirs: nn.Module, reference) -> bool:
    """Whether all bits agree after each of 50 steps with falling rates; all weights must move."""
    draw, start = torch.Generator().manual_seed(2), copy.deepcopy(ours.state_dict())
    for step in range(STEPS):
        lr = 0.1 / (step + 1)
        x = torch.rand(6, 2, 5, 5, generator=draw)
        for model in (ours, theirs):
            model(x).tanh().square().mean().backward()
        mine.step(lr)
        for group in reference.param_groups:
            group["lr"] = lr
        reference.step()
        reference.zero_grad()
        for name, value in theirs.named_parameters():
            found = ours.get_parameter(name)
            assert found.grad is None
            assert not torch.equal(found, start[name])
            if not torch.equal(found, value):
                return False
    return True


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 5e-4])
def test_sgd_takes_the_steps_of_torch(momentum: float, weight_decay: float) -> None:
    ours, values = network(), {"momentum": momentum, "weight_decay": weight_decay}
    theirs = copy.deepcopy(ours)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, foreach=False, **values)
    assert same_steps(ours, SGD(ours.named_parameters(), **values), theirs, reference)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adamw_takes_the_steps_of_torch(weight_decay: float) -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.1, foreach=False)
    mine = AdamW(ours.named_parameters(), weight_decay=weight_decay)
    assert same_steps(ours, mine, theirs, reference)
    assert int(mine.buffers["steps"]) == STEPS


def test_without_weight_decay_it_is_adam() -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.1, foreach=False)
    assert same_steps(ours, AdamW(ours.named_parameters(), weight_decay=0.0), theirs, reference)


def test_the_steps_are_those_of_adams_paper() -> None:
    """Algorithm 1 of Kingma and Ba, in float64."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(50, generator=draw)
    wanted, mean, square = x.double(), torch.zeros(50).double(), torch.zeros(50).double()
    adam = AdamW([("x", x)], weight_decay=0.0)
    for t in range(1, 13):
        x.grad, lr = torch.randn(50, generator=draw), 0.1 / t
        gradient = x.grad.double()
        adam.step(lr)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        corrected = mean / (1 - 0.9**t), square / (1 - 0.999**t)
        wanted = wanted - lr * corrected[0] / (corrected[1].sqrt() + 1e-8)
        assert float((x - wanted).abs().max()) < 2e-6


def test_adams_first_step_is_the_sign_times_the_rate_and_zero_stays() -> None:
    x = torch.tensor([1.0, 1.0, 1.0])
    adam = AdamW([("x", x)], weight_decay=0.0)
    x.grad = torch.tensor([3.0, -0.2, 0.0])
    adam.step(0.25)
    assert x.tolist() == pytest.approx([0.75, 1.25, 1.0])
    assert adam.buffers["steps"] == 1


@pytest.mark.parametrize("kind", [lambda p: SGD(p, momentum=0.9, weight_decay=0.1), AdamW])
def test_step_drops_gradients_and_skips_what_has_none(kind) -> None:
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "unused": nn.Linear(2, 1)})
    before = copy.deepcopy(model["unused"].state_dict())
    model["used"](torch.ones(1, 2)).sum().backward()
    options = {"weight_decay": 0.1} if kind is AdamW else {}
    kind(model.named_parameters(), **options).step(0.5)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[k], v) for k, v in model["unused"].state_dict().items())


def test_a_state_holds_all_that_adamw_knows(tmp_path) -> None:
    def fresh():
        model = nn.Linear(2, 2)
        nn.init.ones_(model.weight)
        nn.init.zeros_(model.bias)
        return model, AdamW(model.named_parameters(), weight_decay=0.1)

    def step(model, optimiser, k):
        (model(torch.ones(1, 2)) * torch.tensor([1.0, -2.0]) * k).sum().backward()
        optimiser.step(0.1)

    model, optimiser = fresh()
    step(model, optimiser, 1)
    path, draw = tmp_path / "state.safetensors", torch.Generator()
    save_state(path, "x", {**model.state_dict(), **optimiser.buffers}, draw, [1])
    step(model, optimiser, 3)
    again, its = fresh()
    assert restore_state(path, "x", {**again.state_dict(), **its.buffers}, draw, int) == [1]
    step(again, its, 3)
    assert torch.equal(again.weight, model.weight)
    assert torch.equal(again.bias, model.bias)


def test_no_compiler_is_imported(loaded) -> None:
    assert not {"torch._dynamo", "torch._inductor", "sympy"} & loaded
