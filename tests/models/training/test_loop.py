import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from datadeed.datasets.form.texts import Texts
from datadeed.errors import CheckpointError, ParameterError
from datadeed.models import classifier
from datadeed.models.classifier import build
from datadeed.models.resnet import resnet18
from datadeed.models.training.augmentation import augment
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, cross_entropy, train
from datadeed.models.training.optimiser import SGD
from tests.toy_model import ToyModel

CONFIG = TrainingConfig(epochs=4, lr=0.1, batch_size=16, schedule="one-cycle")


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def weights(model):
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


@pytest.fixture(scope="module")
def trained(toy_dataset, tiny_model):
    """Trains a tiny model on the toy set and returns it with its history."""

    def run(config=CONFIG, seed=1, model_seed=0, **values):
        model = tiny_model(model_seed, width=4)
        history = train(model, toy_dataset(), config, generator=draw(seed), **values)
        return model, history

    return run


def test_it_learns_what_can_be_learned(trained, toy_dataset):
    config = dataclasses.replace(CONFIG, epochs=10)
    model, history = trained(config, test=toy_dataset(45, seed=1))
    assert accuracy(model, toy_dataset(45, seed=2)) == 1
    assert history[-1]["test_accuracy"] == 1
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert [record["epoch"] for record in history] == list(range(1, 11))
    assert set(history[0]) == {"epoch", "lr", "train_loss", "train_accuracy", "test_accuracy"}


def test_another_loss_is_descended(trained, tiny_model):
    """Short features as the only aim: the output layer is no part of it, and stays as it was."""

    def short(model, x, y):
        features = model.features(x)
        return features.float().square().mean(), model.output_layer(features)

    model, history = trained(loss=short)
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert torch.equal(model.output_layer.weight, tiny_model(width=4).output_layer.weight)


def test_labels_it_cannot_see_are_not_learned(toy_dataset, tiny_model):
    """Random labels: accuracy on fresh ones is near chance, within 4 binomial sd."""
    data, model = toy_dataset(90), tiny_model(width=4)
    random = torch.randint(0, 3, (90,), generator=draw(3))
    train(model, data.replace(samples=data.samples, labels=random), CONFIG, generator=draw())
    fresh = toy_dataset(300, seed=5)
    other = torch.randint(0, 3, (300,), generator=draw(4))
    found = accuracy(model, fresh.replace(samples=fresh.samples, labels=other))
    assert found == pytest.approx(1 / 3, abs=4 * (2 / 9 / 300) ** 0.5)


@pytest.mark.parametrize(
    "change", [{}, {"rotation": 20.0}, {"precision": "fp32", "flip": False}, {"shift": 2.0}]
)
def test_the_seed_decides_every_bit(trained, change):
    config = dataclasses.replace(CONFIG, epochs=2, **change)
    (one, first), (two, second) = trained(config), trained(config)
    assert torch.equal(weights(one), weights(two))
    assert first == second
    assert not torch.equal(weights(one), weights(trained(config, seed=2)[0]))
    assert not torch.equal(weights(one), weights(trained(config, model_seed=1)[0]))


def test_the_global_state_neither_decides_nor_changes(trained):
    before = torch.get_rng_state()
    one, _ = trained()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    two, _ = trained()
    assert torch.equal(weights(one), weights(two))
    torch.set_rng_state(before)


class WithDropout(torch.nn.Module):
    """Dropout can only draw from the global state; torchvision's VGG has two layers of it."""

    def __init__(self, body):
        super().__init__()
        self.body, self.dropout = body, torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.body(self.dropout(x))


def with_dropout(*sizes):
    return WithDropout(resnet18(*sizes))


def test_dropout_follows_the_seed_and_survives_a_resume(tmp_path, toy_dataset, monkeypatch):
    monkeypatch.setitem(classifier.NETWORKS, "dropout", f"{__name__}:with_dropout")

    def run(seed, **values):
        model = build("dropout", shape=(3, 8, 8), classes=3, width=2, generator=draw())
        before = torch.get_rng_state()
        train(model, toy_dataset(), CONFIG, generator=draw(seed), **values)
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(1)
        return weights(model)

    whole = run(1)
    assert torch.equal(run(1), whole)
    assert not torch.equal(run(2), whole)
    with pytest.raises(KeyboardInterrupt):
        run(1, checkpoint=tmp_path, on_progress=stop_after(150))
    assert torch.equal(run(1, checkpoint=tmp_path), whole)


def stop_after(images):
    """A callback that interrupts the training once so many images are done."""

    def on_progress(done, note, resumed):
        if done > images:
            raise KeyboardInterrupt

    return on_progress


ROTATED = dataclasses.replace(CONFIG, rotation=10.0)


@pytest.fixture(scope="module")
def whole(trained, toy_dataset):
    """An uninterrupted training with all that it draws; its model, history and test set."""
    test = toy_dataset(30, seed=1)
    return *trained(ROTATED, test=test), test


@pytest.mark.parametrize(("images", "done"), [(61, 60), (119, 60), (120, 120), (200, 180)])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, trained, whole, images, done):
    uninterrupted, history, test = whole
    with pytest.raises(KeyboardInterrupt):
        trained(ROTATED, test=test, checkpoint=tmp_path, on_progress=stop_after(images))
    told = []
    resumed, again = trained(
        ROTATED, test=test, checkpoint=tmp_path, on_progress=lambda *a: told.append(a)
    )
    assert torch.equal(weights(resumed), weights(uninterrupted))
    assert again == history
    assert told[0] == (done, f"resumed after epoch {done // 60}", True)
    assert not any(was_before for _, _, was_before in told[1:])


def test_a_finished_training_is_not_repeated(tmp_path, trained):
    whole, history = trained(checkpoint=tmp_path)
    told = []
    again, same = trained(checkpoint=tmp_path, on_progress=lambda *a: told.append(a))
    assert [resumed for _, _, resumed in told] == [True]
    assert same == history
    assert torch.equal(weights(again), weights(whole))


def test_another_run_is_refused(tmp_path, trained):
    trained(checkpoint=tmp_path, fingerprint="one")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="belongs to another run"):
        trained(checkpoint=tmp_path, fingerprint="two")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_progress_only_grows_and_reaches_the_end(trained):
    told = []
    trained(on_progress=lambda done, note, resumed: told.append((done, note, resumed)))
    done = [images for images, _, _ in told]
    assert done == sorted(set(done))
    assert done[-1] == 4 * 60
    assert len(done) == 4 * 4  # a call a step
    assert "epoch 1/4, accuracy" in told[0][1]


def test_a_last_batch_of_one_is_left_out(toy_dataset, tiny_model):
    history = train(tiny_model(), toy_dataset(33), CONFIG, generator=draw())
    assert len(history) == 4
    assert 0 < history[0]["train_loss"] < 5


def test_rotated_training_runs(trained):
    assert len(trained(dataclasses.replace(CONFIG, rotation=20.0))[1]) == 4


@pytest.fixture
def seen(toy_dataset, tiny_model):
    """Trains on the toy set; returns what the network got, by batch, and the generator's state."""

    def run(**change):
        batches, generator = [], draw(1)

        def spy(model, x, y):
            batches.append(x.clone())
            return cross_entropy(model, x, y)

        config = dataclasses.replace(CONFIG, epochs=2, **change)
        train(tiny_model(), toy_dataset(), config, generator=generator, loss=spy)
        return batches, generator.get_state()

    return run


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_what_a_training_draws_and_shows(seen, toy_dataset, shift):
    """Order, flips, angles, then moves: without a shift every draw and byte is as without moves."""
    data, by_hand, expected = toy_dataset(), draw(1), []
    for _ in range(2):
        for rows in torch.randperm(len(data), generator=by_hand).split(CONFIG.batch_size):
            flips = torch.rand(len(rows), generator=by_hand) < 0.5
            torch.rand(len(rows), generator=by_hand)  # angles, which are multiplied by 0
            x = torch.where(flips.view(-1, 1, 1, 1), data.samples[rows].flip(3), data.samples[rows])
            if shift:
                moves = (2 * torch.rand(len(rows), 2, generator=by_hand) - 1) * shift
                x = augment(x, None, None, moves)
            expected.append(x)
    batches, state = seen(shift=shift)
    assert torch.equal(state, by_hand.get_state())
    assert len(batches) == len(expected)
    for found, wanted in zip(batches, expected, strict=True):
        assert found.dtype == wanted.dtype == (torch.float32 if shift else torch.uint8)
        assert torch.equal(found, wanted)


def test_the_optimiser_by_hand():
    """v <- .9 v + g + .1 p; p <- p - .5 v, three times, with gradient 2 p of the loss p squared."""
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 1.0)
    optimiser, p, v = SGD(layer.named_parameters(), momentum=0.9, weight_decay=0.1), 1.0, 0.0
    for _ in range(3):
        layer.weight.square().sum().backward()
        optimiser.step(0.5)
        v = 0.9 * v + 2 * p + 0.1 * p
        p -= 0.5 * v
        assert layer.weight.item() == pytest.approx(p, rel=1e-5)
        assert layer.weight.grad is None


def test_the_schedule_is_in_force(trained):
    multistep = TrainingConfig(epochs=4, lr=0.1, batch_size=16, milestones=[1, 3])
    assert [r["lr"] for r in trained(multistep)[1]] == pytest.approx([0.1, 0.01, 0.01, 0.001])
    rates = [r["lr"] for r in trained()[1]]  # of each epoch's last step, at 48 of 60 images
    assert rates == pytest.approx([CONFIG.lr_at(e + 48 / 60) for e in range(4)])


def test_flips_come_about_half_of_the_time(monkeypatch, toy_dataset, tiny_model):
    """4 epochs of 600 images: within 4.5 binomial sd of one half; angles within their bounds."""
    flips, angles = [], []

    def spy(x, flags, degrees, moves):
        flips.append(flags)
        angles.append(degrees)
        return x

    monkeypatch.setattr("datadeed.models.training.loop.augment", spy)
    config = TrainingConfig(epochs=4, lr=0.01, batch_size=100, rotation=20.0)
    train(tiny_model(), toy_dataset(600), config, generator=draw(2))
    share = torch.cat(flips).double().mean().item()
    assert share == pytest.approx(0.5, abs=4.5 * (0.25 / 2400) ** 0.5)
    degrees = torch.cat(angles)
    assert float(degrees.abs().max()) <= 20
    assert float(degrees.abs().max()) > 19.5
    assert float(degrees.mean()) == pytest.approx(0, abs=4.5 * 20 / (3 * 2400) ** 0.5)


def test_every_image_is_seen_once_an_epoch(monkeypatch, toy_dataset, tiny_model):
    seen = []
    original = F.cross_entropy

    def spy(logits, y):
        seen.append(y)
        return original(logits, y)

    monkeypatch.setattr("datadeed.models.training.loop.F.cross_entropy", spy)
    data = toy_dataset(50)
    train(tiny_model(), data, CONFIG, generator=draw())
    assert torch.equal(torch.cat(seen).bincount(), 4 * data.labels.bincount())


class Counter(ToyModel):
    """Sums the numbers of a sequence; sequences are padded with zeros."""

    modality = "text"

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.seen: list[list[int]] = []

    def encode(self, samples):
        longest = max(map(len, samples))
        return torch.tensor([[*map(int, s)] + [0] * (longest - len(s)) for s in samples])

    def lengths(self, encoded):
        return (encoded != 0).sum(1)

    def forward(self, x):
        self.seen.append((x != 0).sum(1).tolist())
        return x.sum(1, keepdim=True) * self.scale


class TestOtherModalities:
    """Nothing in the loop but augmentation is about images."""

    def run(self, n=500, **values):
        lengths = torch.randint(1, 30, (n,), generator=draw(3)).tolist()
        texts = Texts(["1" * k for k in lengths], torch.arange(n) % 2, torch.arange(n), ("a", "b"))
        model = Counter()
        config = TrainingConfig(epochs=2, lr=0.01, batch_size=10, flip=False, **values)
        train(model, texts, config, generator=draw(1))
        return model.seen, lengths

    def test_every_sample_is_seen_once_an_epoch(self):
        for bucketed in (False, True):
            seen, lengths = self.run(bucketed=bucketed)
            for epoch in (seen[:50], seen[50:]):
                assert sorted(k for batch in epoch for k in batch) == sorted(lengths)

    def test_buckets_hold_samples_of_about_one_length_in_random_order(self):
        spread = {}
        for bucketed in (False, True):
            seen, _ = self.run(bucketed=bucketed)
            spread[bucketed] = sum(max(batch) - min(batch) for batch in seen) / len(seen)
        assert spread[False] > 20
        assert spread[True] < 2
        starts = [batch[0] for batch in seen[:50]]
        assert starts != sorted(starts)
        assert seen[:50] != seen[50:]

    def test_adamw_moves_the_weights_by_about_lr_a_step(self, tiny_model, toy_dataset):
        model = tiny_model()
        before = weights(model)
        config = TrainingConfig(epochs=1, lr=1e-3, batch_size=60, optimiser="adamw", warmup=0.5)
        train(model, toy_dataset(60), config, generator=draw(1))
        moved = model.network[0].weight  # one step: each weight by lr, whatever its gradient
        change = (weights(model) - before).abs()
        assert 0.9e-3 < change[: moved.numel()].median() < 1.1e-3

    def test_only_images_are_mirrored(self):
        with pytest.raises(ParameterError, match="text cannot be mirrored, rotated or moved: set"):
            train(
                Counter(),
                Texts(["1", "2"], torch.arange(2), torch.arange(2), ("a", "b")),
                TrainingConfig(epochs=1, lr=0.1),
                generator=draw(),
            )
