import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Form
from datadeed.errors import ModelError
from datadeed.models import audio
from datadeed.models.audio import AudioClassifier, raw_audio_cnn
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from tests.models.compare import same_weights

LENGTH = 600
PUBLISHED = (100, 64, 128, 128, 128, 128, 64, 32)


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def make(seed=0, length=LENGTH, **values):
    chosen = {"classes": 3, "width": 2, **values}
    form = Form("audio", (length,), 8000)
    return AudioClassifier.new("raw-audio-cnn", form=form, generator=draw(seed), **chosen)


def clips(n=5, length=LENGTH, seed=0):
    return torch.randint(-9999, 9999, (n, length), generator=draw(seed), dtype=torch.int16)


def published(classes):
    """The network as described: one-dimensional, ReLU before pooling, for 8,000 samples."""
    layers, inputs = [], 1
    for i, outputs in enumerate(PUBLISHED):
        padding = {0: 2, 7: 0}.get(i, 1)
        pool = nn.MaxPool1d(3 if i == 0 else 2, stride=2)
        convolution = nn.Conv1d(inputs, outputs, 3, padding=padding)
        layers += [convolution, nn.BatchNorm1d(outputs), nn.ReLU(), pool]
        inputs = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 30, classes))


@pytest.mark.parametrize("training", [False, True])
def test_it_is_the_published_network(training):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = published(10).train(training)
    ours = raw_audio_cnn(8000, 10, 64).train(training)
    for mine, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        mine.copy_(other.view(mine.shape))
    x = torch.rand(2, 8000, generator=draw()) - 0.5
    with torch.no_grad():
        assert torch.allclose(ours(x[:, None, None]), theirs(x[:, None]), atol=1e-4)


def test_the_size_by_hand():
    total, inputs = 0, 1
    for outputs in (3, 2, 4, 4, 4, 4, 2, 1):  # the published ones / 32
        total += 3 * inputs * outputs + outputs + 2 * outputs
        inputs = outputs
    assert sum(p.numel() for p in raw_audio_cnn(8000, 5, 2).parameters()) == total + 30 * 5 + 5


@settings(max_examples=15)
@given(length=st.integers(511, 3000), classes=st.integers(2, 5))
def test_any_length_has_logits(length, classes):
    model = make(length=length, classes=classes, width=1).eval()
    logits = model(clips(2, length))
    assert (logits.shape, logits.dtype) == ((2, classes), torch.float32)


def test_probabilities():
    answer = make().predict(clips(7), batch_size=3)
    assert (answer.shape, answer.dtype) == ((7, 3), torch.float32)
    assert torch.allclose(answer.sum(1), torch.ones(7), atol=1e-5)
    assert bool((answer >= 0).all())


def test_integers_and_floats_agree():
    model = make().eval()
    assert torch.equal(model(clips()), model(clips().float() / 32768))
    loudest = torch.full((1, LENGTH), -32768, dtype=torch.int16)
    assert torch.equal(model(loudest), model(torch.full((1, LENGTH), -1.0)))


def test_the_gradient_of_a_clip_is_its_own():
    """Central differences along the gradient; another clip of the batch has no part in it."""
    model = make(width=8).eval().double()
    x = (clips(2).double() / 32768).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[0, 0], x)
    assert not bool(gradient[1].any())
    direction, step = gradient / gradient.norm(), 1e-7
    with torch.no_grad():
        change = model(x + step * direction)[0, 0] - model(x - step * direction)[0, 0]
    assert float(change) == pytest.approx(float(2 * step * gradient.norm()), rel=1e-3)


def test_the_generator_alone_decides_the_weights():
    before = torch.get_rng_state()
    one = make(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert same_weights(one, make(3))
    assert not same_weights(one, make(4))
    torch.set_rng_state(before)


def test_answers_do_not_depend_on_the_batch():
    model = make()
    assert torch.allclose(model.predict(clips(9), batch_size=4), model.predict(clips(9)), atol=1e-2)
    assert not model.training


def test_long_clips_go_through_a_few_at_a_time(monkeypatch):
    model, sizes = make(), []
    whole = model.predict(clips(5))
    monkeypatch.setattr(audio, "_BATCH_SAMPLES", 2 * LENGTH + 1)
    model.register_forward_pre_hook(lambda _module, x: sizes.append(len(x[0])))
    assert torch.allclose(model.predict(clips(5)), whole, atol=1e-2)
    assert sizes == [2, 2, 1]
    monkeypatch.setattr(audio, "_BATCH_SAMPLES", 1)
    model.predict(clips(2))
    assert sizes[3:] == [1, 1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"length": 510}, "clips of 510 samples are too short for raw-audio-cnn: give 511 or"),
        ({"width": 0}, "width 0: give 1 or more"),
    ],
)
def test_bad_values_are_one_line(values, words):
    with pytest.raises(ModelError, match=words):
        make(**values)


def test_what_is_no_clip_or_no_network_is_refused():
    with pytest.raises(ModelError, match="unknown network 'x': choose one of raw-audio-cnn"):
        AudioClassifier.new("x", form=Form("audio", (600,)), classes=2, generator=draw())
    with pytest.raises(ModelError, match=r"takes clips, not samples of shape \(3, 8, 8\)"):
        AudioClassifier.new(
            "raw-audio-cnn", form=Form("image", (3, 8, 8)), classes=2, generator=draw()
        )
    with pytest.raises(
        ModelError, match=r"clips of shape \(601,\) were given to a model for \(600"
    ):
        make().predict(clips(2, 601))


@pytest.fixture
def saved(tmp_path):
    """A model and the folder that holds it."""
    model = make(2)
    model.train()(clips(9))  # batch norm's running figures are no longer 0 and 1
    save_model(model, tmp_path / "m", {})
    return model, tmp_path / "m"


def test_a_model_comes_back_bit_for_bit(saved):
    model, folder = saved
    again = load_model(folder, "cpu", AudioClassifier)
    assert same_weights(model, again)
    assert again.config == model.config
    assert model.config == {
        "modality": "audio",
        "network": "raw-audio-cnn",
        "shape": [LENGTH],
        "rate": 8000,
        "classes": 3,
        "width": 2,
    }
    twin = load_model(folder, "cpu", AudioClassifier)
    assert torch.equal(again.predict(clips()), twin.predict(clips()))


def test_another_kind_of_model_is_refused(saved):
    with pytest.raises(ModelError, match="takes audio and not image"):
        load_model(saved[1], "cpu", Classifier)
    assert isinstance(load_model(saved[1]), AudioClassifier)  # the file says it


@pytest.mark.parametrize(
    "change", [{"network": "x"}, {"width": -1}, {"shape": [3, 8]}, {"shape": [9]}, {"new": 1}]
)
def test_a_record_that_describes_no_model_is_one_line(saved, change):
    path = saved[1] / "model.json"
    record = json.loads(path.read_text())
    record["config"] |= change
    path.write_text(json.dumps(record))
    with pytest.raises(ModelError, match="does not describe a model") as caught:
        load_model(saved[1], "cpu", AudioClassifier)
    assert "\n" not in str(caught.value)


def toy(n=48, seed=0):
    """A tone of the class's own pitch, of any phase, in noise: separable by ear."""
    generator = draw(seed)
    labels, time = torch.arange(n) % 3, torch.arange(LENGTH) / 8000
    phase = torch.rand(n, 1, generator=generator) * 6.3
    tone = torch.sin(6.2832 * time * (300 * 3.0**labels)[:, None] + phase)
    noise = torch.randn(n, LENGTH, generator=generator)
    samples = (8000 * tone + 800 * noise).to(torch.int16)
    return Clips(samples, labels, torch.arange(n), ("low", "middle", "high"), 8000)


CONFIG = TrainingConfig(epochs=8, lr=0.05, batch_size=8, schedule="one-cycle", flip=False)


def test_it_learns_what_can_be_learned():
    model = make(width=8)
    train(model, toy(), CONFIG, generator=draw())
    assert accuracy(model, toy(30, seed=1)) == 1


def test_the_seed_decides_every_bit_of_a_training():
    def trained(seed):
        model = make()
        train(model, toy(16), CONFIG, generator=draw(seed))
        return model

    one = trained(1)
    assert same_weights(one, trained(1))
    assert not same_weights(one, trained(2))
