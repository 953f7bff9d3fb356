import pytest
import torch

from datadeed.errors import ModelError
from datadeed.models.devices import choose_device


@pytest.fixture
def cards(monkeypatch):
    """Makes PyTorch believe in so many CUDA devices."""

    def believe(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return believe


@pytest.mark.parametrize(
    ("count", "name", "device"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
        (2, "cpu", "cpu"),
    ],
)
def test_the_device_that_is_there(cards, count, name, device):
    cards(count)
    assert choose_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("count", "name", "words"),
    [
        (0, "cuda", "0 CUDA devices are here"),
        (1, "cuda:1", "1 CUDA devices are here"),
        (1, "meta", "unsupported device 'meta'"),
        (1, "gpu", "unknown device 'gpu'"),
        (1, "", "unknown device ''"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(cards, count, name, words):
    cards(count)
    with pytest.raises(ModelError, match=words) as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)
