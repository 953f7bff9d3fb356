"""Each repair's own idea, on cases with known answers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.classifier import Classifier
from datadeed.models.training.loop import cross_entropy
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.repair.distillation import attention, stages
from datadeed.thieves.repair.fine_pruning import FinePruning, norm_of, prune
from datadeed.thieves.repair.fine_tuning import FineTuning, sharpness_aware
from datadeed.thieves.repair.inputs import ShrinkPad, Smoothing
from datadeed.thieves.repair.pivotal_tuning import PivotalTuning, latent_orthogonality
from datadeed.thieves.repair.registry import build_repair
from datadeed.thieves.repair.tuning import follow
from datadeed.thieves.repair.unlearning import Unlearning, stamped
from datadeed.thieves.trigger_inversion import Detection, Patches
from tests.thieves.conftest import Backdoored


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_orthogonality_counts_pairs_and_off_diagonal_moments() -> None:
    """Two classes at e1 and e2, as in the pivot: M = diag(1/2, 1/2), one pair with cosine 1."""
    z, y = torch.eye(2), torch.tensor([4, 7])
    assert latent_orthogonality(z, z, y).item() == pytest.approx(1, abs=1e-5)
    turned = latent_orthogonality(-z, z, y).item()
    assert turned == pytest.approx(-1, abs=1e-5)
    # (1, 1) and (0, 0): M has off-diagonal entries 1/2 twice, so their norm is sqrt(1/2).
    z = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert latent_orthogonality(z, z, y).item() == pytest.approx(1 + math.sqrt(0.5), abs=1e-5)


def test_orthogonality_of_one_class_has_a_gradient() -> None:
    z = torch.zeros(3, 2, requires_grad=True)
    latent_orthogonality(z, torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)).backward()
    assert bool(z.grad.isfinite().all())


def test_a_strong_pull_keeps_the_weights_near_the_pivot(backdoored: Backdoored) -> None:
    def distance(pull: float) -> float:
        method = PivotalTuning(steps=20, lr=0.01, pull=pull, rotation=0.05)
        made = method(backdoored.model, backdoored.trusted, generator=draw())
        pairs = zip(made.parameters(), backdoored.model.parameters(), strict=True)
        return math.sqrt(sum(float((p - q).detach().square().sum()) for p, q in pairs))

    assert distance(20.0) < 0.5 * distance(0.0)


def test_sharpness_aware_gradient_is_that_of_the_perturbed_weights(
    tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> None:
    """Against the formula, for a model of one linear layer; the weights come back."""

    class Linear(Classifier):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output_layer(x.float().flatten(1) / 255)

    layer = nn.Linear(192, 3)
    model = Linear(nn.Sequential(layer), [0.0] * 3, [1.0] * 3, {})
    data, rho = toy_dataset(30), 0.5
    sharpness_aware(rho)(model, data.samples, data.labels)
    found, before = layer.weight.grad.clone(), [p.detach().clone() for p in model.parameters()]
    layer.zero_grad()
    follow(cross_entropy)(model, data.samples, data.labels)
    first = [p.grad.clone() for p in model.parameters()]
    length = torch.cat([(p.abs() * g).flatten() for p, g in zip(before, first, strict=True)]).norm()
    with torch.no_grad():
        for p, g in zip(model.parameters(), first, strict=True):
            p.add_(rho * p.square() * g / length)
    layer.zero_grad()
    follow(cross_entropy)(model, data.samples, data.labels)
    assert torch.allclose(found, layer.weight.grad, atol=1e-3)
    assert not torch.allclose(found, first[0], atol=1e-3)


def test_sharpness_aware_steps_count_running_statistics_once(backdoored: Backdoored) -> None:
    """The statistics after a step are those of the unperturbed weights."""
    made = {}
    for name, descend in (("sam", sharpness_aware(3.0)), ("plain", follow(cross_entropy))):
        model = type(backdoored.model).from_config(backdoored.model.config)
        model.load_state_dict(backdoored.model.state_dict())
        model.train()
        descend(model, backdoored.trusted.samples, backdoored.trusted.labels)
        made[name] = {k: v for k, v in model.state_dict().items() if "running" in k}
    assert all(torch.equal(made["sam"][key], made["plain"][key]) for key in made["plain"])


def test_pruning_cuts_the_coldest_channels(backdoored: Backdoored) -> None:
    model = type(backdoored.model).from_config(backdoored.model.config)
    model.load_state_dict(backdoored.model.state_dict())
    model.eval()
    layer = [m for m in model.modules() if isinstance(m, nn.Conv2d)][-1]
    with torch.no_grad():
        norm_of(model, layer).weight[5] = 1e-6  # a channel that is surely cold after its norm
        norm_of(model, layer).bias[5] = 0
    kept = prune(model, layer, backdoored.trusted, (0.05, 0.1), loss=1.0)
    assert not kept[5]
    assert int((~kept).sum()) == int(0.1 * len(kept))
    norm = norm_of(model, layer)
    assert norm is not None
    for parameter in (layer.weight, norm.weight, norm.bias):
        assert bool((parameter[~kept] == 0).all())
    assert bool((layer.weight[kept].abs().sum((1, 2, 3)) > 0).all())


def test_pruning_stops_where_accuracy_is_lost(backdoored: Backdoored) -> None:
    model = type(backdoored.model).from_config(backdoored.model.config)
    model.load_state_dict(backdoored.model.state_dict())
    layer = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    kept = prune(model, layer, backdoored.trusted, (1.0,), loss=0.1)  # the whole first layer
    assert bool(kept.all())
    assert torch.equal(layer.weight, next(iter(backdoored.model.parameters())))


def test_what_was_pruned_stays_pruned_while_the_rest_is_tuned(backdoored: Backdoored) -> None:
    method = FinePruning(steps=10, lr=0.05, weight_decay=0.01, loss=1.0, shares=(0.5,))
    made = method(backdoored.model, backdoored.trusted, generator=draw())
    layers = [
        [m for m in x.modules() if isinstance(m, nn.Conv2d)] for x in (made, backdoored.model)
    ]
    last, before = layers[0][-1].weight, layers[1][-1].weight
    dead = last.abs().sum((1, 2, 3)) == 0
    assert int(dead.sum()) == len(dead) // 2
    assert not torch.equal(last[~dead], before[~dead])  # tuned: the released code takes no step


def test_attention_is_a_unit_map_of_energy() -> None:
    maps = attention(torch.tensor([[[[3.0, 0.0]], [[0.0, 2.0]]]]))  # energies 9 and 4
    assert torch.allclose(maps, torch.tensor([[9.0, 4.0]]) / math.sqrt(97))


def test_stages_end_where_the_image_gets_smaller(backdoored: Backdoored) -> None:
    found = stages(backdoored.model, backdoored.trusted)
    assert len(found) == 3  # 8, 4 and 2 pixels; 1 pixel is no image
    assert all("network." in name for name in found)


def test_models_without_images_inside_are_refused(backdoored: Backdoored) -> None:
    class Flat(Classifier):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x.float().flatten(1))

    flat = Flat(nn.Sequential(nn.Linear(192, 3)), [0.0] * 3, [1.0] * 3, {"shape": [3, 8, 8]})
    for method in ("attention-distillation", "fine-pruning"):
        with pytest.raises(ParameterError, match=r"the model has none|it has none"):
            build_repair(method, steps=1)(flat, backdoored.trusted, generator=draw())


def test_every_suspicious_class_is_unlearned(
    backdoored: Backdoored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The released code takes the last inverted trigger alone."""
    mask, pattern = torch.full((3, 1, 8, 8), 0.5), torch.rand(3, 3, 8, 8, generator=draw())
    index = np.array([2.5, -1.0, 2.1])
    monkeypatch.setattr(NeuralCleanse, "invert", lambda *_: Patches(pattern, mask))
    monkeypatch.setattr(NeuralCleanse, "rate", lambda *_: Detection(2.5, index, 0))
    seen: list[Dataset] = []
    monkeypatch.setattr(
        FineTuning, "_repair", lambda self, model, data, *_: seen.append(data) or model
    )
    Unlearning(share=0.5)(backdoored.model, backdoored.trusted, generator=draw())
    (data,) = seen
    clean = {tuple(s.flatten().tolist()) for s in backdoored.trusted.samples}
    added = data.take(
        torch.tensor([tuple(s.flatten().tolist()) not in clean for s in data.samples])
    )
    assert len(added) == 2 * 20
    assert 0 not in added.labels[:20].tolist()
    assert 2 not in added.labels[20:].tolist()


def test_all_found_triggers_are_put_on_images_of_other_classes(backdoored: Backdoored) -> None:
    triggers = NeuralCleanse(steps=3).invert(backdoored.model, backdoored.trusted, draw())
    rows = stamped(backdoored.trusted, triggers, 0, 0.2, draw())
    assert len(rows) == 8  # 0.2 of 40
    assert 0 not in rows.labels.tolist()
    place = {index: row for row, index in enumerate(backdoored.trusted.index.tolist())}
    clean = backdoored.trusted.take(torch.tensor([place[index] for index in rows.index.tolist()]))
    assert torch.equal(clean.labels, rows.labels)
    assert bool((clean.samples != rows.samples).flatten(1).any(1).all())


def test_shrinking_keeps_what_is_shown_inside_a_black_frame() -> None:
    images = torch.full((50, 1, 10, 10), 200, dtype=torch.uint8)
    changed = ShrinkPad(scale=0.8).change(images, draw())
    assert bool(((changed == 200).sum((1, 2, 3)) == 64).all())
    tops = {(image[0] == 200).nonzero()[0].tolist()[0] for image in changed}
    assert tops == {0, 1, 2}


@pytest.mark.parametrize("defence", [ShrinkPad(scale=0.7), Smoothing(copies=2)])
def test_an_image_is_changed_alike_alone_and_among_others(
    backdoored: Backdoored, defence: ShrinkPad | Smoothing
) -> None:
    guarded = defence(backdoored.model, backdoored.trusted, generator=draw())
    together = guarded.predict(backdoored.test.samples)
    alone = torch.cat([guarded.predict(backdoored.test.samples[i : i + 1]) for i in range(5)])
    assert torch.allclose(together[:5], alone, atol=0.02)  # bfloat16 in batches of other sizes
    assert (together[:5].argmax(1) == alone.argmax(1)).all()


def test_smoothing_adds_the_stated_noise() -> None:
    images = torch.full((40, 1, 10, 10), 128, dtype=torch.uint8)
    changed = Smoothing(sigma=0.05).change(images, draw()).double()
    assert float(changed.std()) == pytest.approx(255 * 0.05, rel=0.05)
    assert float(changed.mean()) == pytest.approx(128, abs=1)
