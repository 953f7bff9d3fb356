"""What every repair keeps to, and what each does to a toy backdoor."""

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import nn

from datadeed.errors import DatasetError, ModelError, ParameterError
from datadeed.models.classifier import Classifier
from datadeed.models.training.loop import accuracy
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.repair.base import Repair
from datadeed.thieves.repair.registry import REPAIRS, build_repair
from tests.thieves.conftest import Backdoored

# Values for a toy of 60 trusted samples.
TOY: dict[str, dict[str, object]] = {
    "fine-tuning": {"steps": 60, "lr": 0.05},
    "ft-sam": {"steps": 60, "lr": 0.05, "rho": 1.0},
    "pivotal-tuning": {"steps": 90, "lr": 0.1, "rotation": 0.1},
    "fine-pruning": {"steps": 60, "lr": 0.05},
    "attention-distillation": {"steps": 60, "lr": 0.05, "teacher_steps": 60},
    "unlearning": {"steps": 60, "lr": 0.05},
    "shrink-pad": {"scale": 0.7},
    "smoothing": {"copies": 2},
}
TUNED = [name for name in TOY if name not in ("shrink-pad", "smoothing")]
# What follows the loss alone: it is nothing on samples that are separable at sight.
KEEPS = ("fine-tuning", "fine-pruning")


def toy_repair(name: str, **changed: object) -> Repair:
    return build_repair(name, **{**TOY[name], **changed})


def short(name: str, **changed: object) -> Repair:
    """Of a few steps, where only the machinery counts."""
    steps: dict[str, object] = {"steps": 4} if name in TUNED else {}
    steps |= {"teacher_steps": 4} if name == "attention-distillation" else {}
    steps |= {"inversion": NeuralCleanse(steps=4)} if name == "unlearning" else {}
    return toy_repair(name, **{**steps, **changed})


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_every_repair_has_values_here() -> None:
    assert list(TOY) == list(REPAIRS)


@pytest.mark.parametrize("name", TOY)
def test_the_suspect_is_never_altered(backdoored: Backdoored, name: str) -> None:
    before = state_of(backdoored.model)
    made = short(name)(backdoored.model, backdoored.trusted, generator=draw())
    assert equal(before, state_of(backdoored.model))
    assert not backdoored.model.training
    assert all(p.requires_grad for p in backdoored.model.parameters())
    assert made is not backdoored.model
    assert not made.training


@pytest.mark.parametrize("name", TOY)
def test_the_same_seed_gives_the_same_answers(backdoored: Backdoored, name: str) -> None:
    made = [short(name)(backdoored.model, backdoored.trusted, generator=draw(4)) for _ in "ab"]
    asked = [model.predict(backdoored.test.samples) for model in made]
    assert torch.equal(*asked)


@pytest.mark.parametrize("name", TUNED)
def test_a_repair_unlearns_the_backdoor_and_keeps_the_task(
    backdoored: Backdoored, name: str
) -> None:
    made = toy_repair(name)(backdoored.model, backdoored.spotted, generator=draw())
    assert isinstance(made, Classifier)
    assert accuracy(made, backdoored.test) > 0.85
    assert backdoored.success(made) < 0.1


@pytest.mark.parametrize("name", KEEPS)
def test_without_anything_to_learn_from_the_backdoor_stays(
    backdoored: Backdoored, name: str
) -> None:
    """Frozen, since the trusted batches' own statistics can make the model forget by themselves."""
    method = toy_repair(name, batch_norm="frozen")
    made = method(backdoored.model, backdoored.trusted, generator=draw())
    assert accuracy(made, backdoored.test) > 0.85
    assert backdoored.success(made) > 0.1


@pytest.mark.parametrize("name", TUNED)
def test_steps_are_told_and_the_last_one_is_the_result(backdoored: Backdoored, name: str) -> None:
    seen: dict[int, dict[str, torch.Tensor]] = {}

    def keep(step: int, model: nn.Module) -> None:
        assert not model.training
        seen[step] = state_of(model)

    method = short(name, steps=7, every=3)
    made = method(backdoored.model, backdoored.trusted, generator=draw(), on_step=keep)
    assert list(seen) == [3, 6, 7]
    assert equal(seen[7], state_of(made))
    assert not equal(seen[3], seen[6])


@pytest.mark.parametrize("name", TUNED)
def test_frozen_batch_norm_keeps_the_suspects_statistics(backdoored: Backdoored, name: str) -> None:
    for batch_norm, kept in (("frozen", True), ("adapt", False)):
        method = short(name, steps=3, batch_norm=batch_norm)
        made = method(backdoored.model, backdoored.trusted, generator=draw())
        names = [key for key in made.state_dict() if "running_mean" in key]
        same = [torch.equal(made.state_dict()[k], backdoored.model.state_dict()[k]) for k in names]
        assert all(same) == kept


@pytest.mark.parametrize("name", TOY)
def test_what_cannot_be_repaired_is_refused(backdoored: Backdoored, name: str) -> None:
    trusted, method = backdoored.trusted, short(name)
    without = trusted.take(trusted.labels != 1)
    fewer = dataclasses.replace(trusted.take(trusted.labels != 2), classes=trusted.classes[:2])
    larger = trusted.replace(samples=trusted.samples.repeat(1, 1, 2, 2), labels=trusted.labels)
    for data, words in ((without, "class 1"), (fewer, "2 classes"), (larger, r"\(3, 16, 16\)")):
        with pytest.raises(DatasetError, match=words):
            method(backdoored.model, data, generator=draw())
    broken = copy.deepcopy(backdoored.model)
    with torch.no_grad():
        broken.output_layer.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match="NaN"):
        method(broken, trusted, generator=draw())


@pytest.mark.parametrize("name", TUNED)
def test_fewer_samples_than_a_batch_are_all_taken(backdoored: Backdoored, name: str) -> None:
    three = backdoored.trusted.slice(0, 3)  # one of each class
    made = short(name, steps=2)(backdoored.model, three, generator=draw())
    assert all(bool(value.isfinite().all()) for value in made.state_dict().values())


@pytest.mark.parametrize("name", TUNED)
def test_a_model_without_batch_norm_is_repaired(
    backdoored: Backdoored, tiny_model: Callable[..., Classifier], name: str
) -> None:
    plain = tiny_model(width=4)
    for module in plain.modules():
        for key, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, key, nn.Identity())
    made = short(name, steps=2)(plain, backdoored.trusted, generator=draw())
    assert made.predict(backdoored.test.samples).shape == (120, 3)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("nothing", {}, "unknown repair"),
        ("fine-tuning", {"rho": 1}, "unexpected keyword"),
        ("fine-tuning", {"steps": 0}, "steps 0"),
        ("fine-tuning", {"batch_norm": "off"}, "adapt or frozen"),
        ("fine-tuning", {"momentum": 1.0}, "momentum 1.0"),
        ("fine-tuning", {"weight_decay": -1.0}, "weight_decay -1.0"),
        ("pivotal-tuning", {"pull": -1.0}, "pull -1.0"),
        ("attention-distillation", {"teacher_steps": 0}, "teacher_steps 0"),
        ("ft-sam", {"rho": 0}, "rho 0"),
        ("unlearning", {"share": 0}, "share 0"),
        ("shrink-pad", {"scale": 1.0}, "scale 1.0"),
        ("smoothing", {"sigma": 0}, "sigma 0"),
        ("smoothing", {"copies": 0}, "copies 0"),
    ],
)
def test_values_that_make_no_sense(name: str, values: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        build_repair(name, **values)


def test_weight_decay_is_the_weight_decay(backdoored: Backdoored) -> None:
    """The released baseline passes it as the learning rate."""

    def length(**values: object) -> float:
        method = toy_repair("fine-tuning", steps=20, lr=0.01, **values)
        made = method(backdoored.model, backdoored.trusted, generator=draw())
        return sum(float(p.detach().square().sum()) for p in made.parameters())

    assert length(weight_decay=0.5) < 0.9 * length(weight_decay=0.0)


def test_dropout_draws_from_the_given_generator_and_leaves_the_global_state(
    backdoored: Backdoored,
) -> None:
    def with_dropout() -> Classifier:
        model = copy.deepcopy(backdoored.model)
        body = list(model.network)
        model.network = nn.Sequential(*body[:-1], nn.Dropout(0.5), body[-1])
        return model

    method, made = toy_repair("fine-tuning", steps=3), []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        made.append(method(with_dropout(), backdoored.trusted, generator=draw()))
        assert torch.equal(before, torch.get_rng_state())
    assert equal(made[0].state_dict(), made[1].state_dict())
