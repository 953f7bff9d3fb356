"""Our optimisers take the steps of torch.optim's."""

import copy

import torch
from torch import nn

from datadeed.models.checkpoints import load_checkpoint, save_checkpoint
from datadeed.models.optimiser import SGD, AdamW


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


def test_adamw_takes_the_steps_of_torch() -> None:
    draw = torch.Generator().manual_seed(1)
    ours = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    for parameter in ours.parameters():
        nn.init.normal_(parameter, generator=draw)
    theirs = copy.deepcopy(ours)
    mine = AdamW(ours, weight_decay=0.1)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.1, foreach=False)
    for step in range(20):
        lr = 0.1 / (step + 1)
        x = torch.rand(6, 4, generator=draw)
        ours(x).square().mean().backward()
        mine.step(lr)
        reference.zero_grad()
        theirs(x).square().mean().backward()
        for group in reference.param_groups:
            group["lr"] = lr
        reference.step()
    for name, value in ours.state_dict().items():
        assert torch.allclose(value, theirs.state_dict()[name], rtol=1e-6, atol=1e-7)
    assert int(mine.buffers["steps"]) == 20


def test_a_checkpoint_holds_all_that_adamw_knows(tmp_path) -> None:
    def fresh():
        model = nn.Linear(2, 2)
        nn.init.ones_(model.weight)
        nn.init.zeros_(model.bias)
        return model, AdamW(model, weight_decay=0.1)

    def step(model, optimiser, k):
        (model(torch.ones(1, 2)) * torch.tensor([1.0, -2.0]) * k).sum().backward()
        optimiser.step(0.1)

    model, optimiser = fresh()
    step(model, optimiser, 1)
    state = {"generator": torch.Generator(), "fingerprint": "x"}
    save_checkpoint(tmp_path, model=model, optimiser=optimiser, history=[{"epoch": 1}], **state)
    step(model, optimiser, 3)
    again, its = fresh()
    load_checkpoint(tmp_path, model=again, optimiser=its, **state)
    step(again, its, 3)
    assert torch.equal(again.weight, model.weight)
    assert torch.equal(again.bias, model.bias)
