import numpy as np
import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Form
from datadeed.datasets.form.texts import Texts
from datadeed.errors import ParameterError, UnsupportedModality
from datadeed.thieves.autoencoder import (
    SIGMA,
    AutoencoderConfig,
    Network,
    _loss,
    build_network,
    fit_autoencoder,
    pictures,
)
from datadeed.thieves.outliers import search

SMALL = AutoencoderConfig(width=4, code=8, epochs=10, lr=0.01, batch_size=16)


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def fit(data, config=SMALL, seed=0, **options):
    return fit_autoencoder(data, config, generator=draw(seed), **options)


def tones(n=120, rate=8000, length=2000):
    """One of three tones each, with some noise."""
    labels, time = torch.arange(n) % 3, torch.arange(length) / rate
    waves = torch.sin(2 * torch.pi * (500 + 800 * labels[:, None]) * time) * 8000
    waves += torch.randn(n, length, generator=draw(9)) * 100
    return Clips(waves.to(torch.int16), labels, torch.arange(n), ("low", "mid", "high"), rate)


@pytest.fixture(scope="module")
def odd_images(toy_dataset):
    """120 bands on a dark ground, six of them replaced by noise; which; an autoencoder of all."""
    data, odd = toy_dataset(120).copy(), torch.arange(6) * 20
    noise = torch.randint(0, 256, (6, 3, 8, 8), generator=draw(), dtype=torch.uint8)
    data.put(odd, data.take(odd).replace(samples=noise, labels=data.labels[odd]))
    return data, np.isin(np.arange(120), odd.numpy()), fit(data)


def test_images_unlike_the_others_are_found(odd_images):
    data, marked, found = odd_images
    scores = found.scores(data)
    assert (scores.shape, scores.dtype) == ((120,), np.float64)
    assert search(scores, marked, 0.05).recall == 1


def test_training_lowers_the_error(odd_images):
    """Of the others, to less than half of what the mean image would leave."""
    data, marked, found = odd_images
    x = data.samples[~marked].float() / 255
    mean_image = (x - x.mean(0)).square().mean().item()
    assert found.scores(data)[~marked].mean() < mean_image / 2


def test_clips_unlike_the_others_are_found():
    """Tones, and three clips of white noise."""
    data = tones(60)
    data.samples[:3] = (torch.randn(3, 2000, generator=draw()) * 3000).to(torch.int16)
    config = AutoencoderConfig(width=4, code=8, epochs=8, lr=0.02, batch_size=16)
    scores = fit(data, config).scores(data)
    assert search(scores, np.arange(60) < 3, 0.05).recall == 1


def test_a_score_is_the_mean_squared_error_of_the_reconstruction(toy_dataset):
    data = toy_dataset(9)
    found = fit(data, AutoencoderConfig(width=2, code=3, epochs=1))
    x = data.samples.float() / 255
    rebuilt, mean, log_variance = found.network(x, None)
    assert rebuilt.shape == x.shape
    assert mean.shape == log_variance.shape == (9, 3)
    expected = (rebuilt - x).square().flatten(1).mean(1).detach()
    np.testing.assert_allclose(found.scores(data, batch_size=4), expected, rtol=1e-5)


def test_the_generator_alone_decides(toy_dataset):
    data, config = toy_dataset(40), AutoencoderConfig(width=2, code=3, epochs=2, batch_size=16)
    before = torch.get_rng_state()
    one, same, other = (fit(data, config, seed).scores(data) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, fit(data, config, 1).scores(data))
    torch.set_rng_state(before)


def test_labels_are_not_used(toy_dataset):
    data, config = toy_dataset(30), AutoencoderConfig(width=2, code=3, epochs=1)
    other = data.replace(samples=data.samples, labels=data.labels.flip(0))
    assert np.array_equal(fit(data, config).scores(data), fit(other, config).scores(data))


def test_progress_is_told_to_the_last_sample(toy_dataset):
    told = []
    config = AutoencoderConfig(width=2, code=3, epochs=2, batch_size=16)
    fit(toy_dataset(20), config, on_progress=lambda done, note: told.append((done, note)))
    assert told == [(16, "epoch 1/2"), (20, "epoch 1/2"), (36, "epoch 2/2"), (40, "epoch 2/2")]


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 15), (129, 63), (11, 64)])
def test_a_picture_of_any_size_is_rebuilt_in_its_size(size):
    network = build_network((2, *size), AutoencoderConfig(width=2, code=3), draw())
    x = torch.rand(3, 2, *size, generator=draw())
    rebuilt, _, _ = network(x, torch.zeros(3, 3))
    assert rebuilt.shape == x.shape
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1


def test_the_code_is_drawn_around_its_mean():
    """With noise e the decoder gets mean + exp(log variance / 2) e."""
    network = build_network((1, 8, 8), AutoencoderConfig(width=2, code=3), draw())
    seen = []
    network.from_code.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x, noise = torch.rand(4, 1, 8, 8, generator=draw(1)), torch.randn(4, 3, generator=draw(2))
    _, mean, log_variance = network(x, noise)
    network(x, None)
    assert torch.allclose(seen[0], mean + log_variance.exp().sqrt() * noise, atol=1e-6)
    assert torch.equal(seen[1], mean)


def test_the_loss_is_the_negative_evidence_bound():
    """Both terms as torch's own distributions have them."""
    x, rebuilt = torch.rand(2, 5, 1, 4, 4, generator=draw())
    mean, log_variance = torch.randn(2, 5, 3, generator=draw(1))
    normal = torch.distributions.Normal
    code = normal(mean, (log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(code, normal(0.0, 1.0)).sum()
    constant = normal(0.0, SIGMA).log_prob(torch.zeros(())) * x.numel()
    error = constant - normal(rebuilt, SIGMA).log_prob(x).sum()
    expected = (error + divergence) / 5
    assert torch.allclose(_loss(x, rebuilt, mean, log_variance), expected, rtol=1e-4)


def test_a_full_scale_tone_is_white_and_silence_is_black():
    """1,000 Hz is bin 32 of 256 at 8 kHz; a tenth of the amplitude is 20 dB, a quarter less."""
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(4096) / 8000) * 32767
    clips = torch.stack([tone, tone / 10, torch.zeros(4096)]).to(torch.int16)
    found = pictures(clips, Form("audio", (4096,), 8000))
    assert (found.shape, found.dtype) == ((3, 1, 129, 33), torch.float32)
    loud, soft, silent = found[:, 0, :, 16]
    assert loud.argmax() == soft.argmax() == 32
    assert loud[32].item() == pytest.approx(1, abs=1e-3)
    assert soft[32].item() == pytest.approx(0.75, abs=1e-3)
    assert silent.max() == 0


@pytest.mark.parametrize(("rate", "frequencies"), [(8000, 129), (16000, 257), (44100, 513)])
def test_the_window_is_about_32_ms(rate, frequencies):
    """A power of two: 1,024 samples at 44.1 kHz are 23 ms."""
    clips = torch.zeros(1, 4096, dtype=torch.int16)
    assert pictures(clips, Form("audio", (4096,), rate)).shape[2] == frequencies


def test_what_it_cannot_take(toy_dataset):
    labels = torch.arange(2)
    texts = Texts(["a", "b"], labels, labels, ("x", "y"))
    with pytest.raises(UnsupportedModality, match="not text: use another detector"):
        fit(texts)
    with pytest.raises(UnsupportedModality, match="7 x 8 are too small"):
        fit(toy_dataset(6, shape=(3, 7, 8)))
    with pytest.raises(UnsupportedModality, match="129 x 3 are too small"):
        fit(tones(3, length=300))
    fitted = fit(toy_dataset(6), AutoencoderConfig(width=2, code=3, epochs=1))
    with pytest.raises(UnsupportedModality, match="fit one to them"):
        fitted.scores(tones(3))
    with pytest.raises(ParameterError, match="every value must be above 0"):
        AutoencoderConfig(epochs=0)


def test_a_network_is_as_wide_as_asked():
    network = Network((3, 16, 16), AutoencoderConfig(width=5, code=7))
    assert [layer.out_channels for layer in network.down] == [5, 10, 20]
    assert [layer.out_channels for layer in network.up] == [3, 5, 10]
    assert (network.from_code.in_features, network.to_code.out_features) == (7, 14)
