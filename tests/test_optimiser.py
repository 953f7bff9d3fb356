"""Our SGD takes the steps of torch.optim.SGD."""

import copy

import torch
from torch import nn

from datadeed.optimiser import SGD


def test_same_steps_as_torch() -> None:
    draw = torch.Generator().manual_seed(1)
    ours = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    for parameter in ours.parameters():
        nn.init.normal_(parameter, generator=draw)
    theirs = copy.deepcopy(ours)
    start = copy.deepcopy(ours.state_dict())
    mine = SGD(ours, momentum=0.9, weight_decay=5e-4)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    for step in range(20):
        lr = 0.1 / (step + 1)
        x = torch.rand(6, 4, generator=draw)
        ours(x).square().mean().backward()
        mine.step(lr)
        reference.zero_grad()
        theirs(x).square().mean().backward()
        reference.param_groups[0]["lr"] = lr
        reference.step()
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name])
        assert not torch.equal(value, start[name])


def test_step_drops_gradients_and_skips_what_has_none() -> None:
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "unused": nn.Linear(2, 1)})
    before = copy.deepcopy(model["unused"].state_dict())
    model["used"](torch.ones(1, 2)).sum().backward()
    SGD(model, momentum=0.9, weight_decay=0.1).step(0.5)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[k], v) for k, v in model["unused"].state_dict().items())
