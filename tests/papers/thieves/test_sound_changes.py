"""What thieves of sound change, and the network that hears mel spectra."""

import numpy as np
import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Form
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from papers.thieves.listener import BANDS, Listener, mel_bands
from papers.thieves.sound_changes import low_passed, moved, narrowed, noisy


def tones(*hertz: int, length: int = 4000) -> torch.Tensor:
    seconds = torch.arange(length) / 8000
    waves = [8000 * torch.sin(2 * torch.pi * each * seconds) for each in hertz]
    return torch.stack(waves).round().to(torch.int16)


def loud(clips: torch.Tensor) -> list[float]:
    found: list[float] = clips[:, 500:-500].double().square().mean(1).sqrt().tolist()
    return found


def test_half_the_rate_keeps_what_lies_below_its_half() -> None:
    low, high = loud(narrowed(tones(1500, 2600)))
    assert low == pytest.approx(8000 / 2**0.5, rel=0.02)
    assert high < 30


def test_a_low_pass_takes_the_highest_quarter() -> None:
    low, high = loud(low_passed(tones(2900, 3100)))
    assert low == pytest.approx(8000 / 2**0.5, rel=0.02)
    assert high < 100


def test_noise_is_a_tenth_as_loud_and_the_same_each_time() -> None:
    clips = tones(700, 900)
    added = noisy(clips).double() - clips
    assert loud(added) == pytest.approx([800 / 2**0.5] * 2, rel=0.05)
    assert torch.equal(noisy(clips), noisy(clips))


def test_copies_are_moved_each_otherwise() -> None:
    data = Clips(tones(500, 600), torch.tensor([0, 1]), torch.arange(2), ("a", "b"), 8000)
    copies = moved(data, 3, 1)
    assert copies.labels.tolist() == [0, 1] * 3
    assert copies.shape == data.shape
    assert torch.equal(moved(data, 3, 1).samples, copies.samples)
    gains = np.array(loud(copies.samples)) / (8000 / 2**0.5)
    assert gains.max() < 1.55
    assert gains.min() > 0.4
    assert np.ptp(gains) > 0.1


def test_bands_cover_the_spectrum_and_each_has_its_place() -> None:
    bands = mel_bands(8000)
    assert bands.shape == (BANDS, 129)
    peaks = bands.argmax(1).tolist()
    assert peaks == sorted(peaks)
    assert (bands.sum(1) > 0).all()


def test_a_listener_learns_pitches_and_comes_back_from_its_record() -> None:
    draw = torch.Generator().manual_seed(1)
    labels = torch.arange(60) % 3
    clips = tones(*[(400, 900, 1800)[label] for label in labels.tolist()], length=1600)
    data = Clips(clips, labels, torch.arange(60), ("a", "b", "c"), 8000)
    form = Form("audio", (1600,), 8000)
    model = Listener.new("listener", form=form, classes=3, generator=draw, width=4)
    config = TrainingConfig(epochs=6, lr=0.05, batch_size=16, flip=False, precision="fp32")
    train(model, data, config, generator=draw)
    assert accuracy(model, data) == 1
    again = Listener.from_config(model.config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.predict(clips), model.predict(clips))
