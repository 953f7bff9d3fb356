import pytest
import torch
from torch import nn

from datadeed.models.vgg import vgg19bn


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_published_size_without_biases_that_do_nothing():
    """20,040,522 as in kuangliu/pytorch-cifar, less the 5,504 biases before batch norm."""
    with torch.device("meta"):
        network = vgg19bn(3, 10, 64)
    convolutions = [m for m in network if isinstance(m, nn.Conv2d)]
    biases = sum(m.out_channels for m in convolutions)
    assert biases == 5504
    assert count(network) == 20_040_522 - biases


def test_the_size_by_hand():
    total, inputs = 0, 1
    for outputs, times in ((2, 2), (4, 2), (8, 4), (16, 4), (16, 4)):
        for _ in range(times):
            total += inputs * outputs * 9 + 2 * outputs
            inputs = outputs
    assert count(vgg19bn(1, 5, 2)) == total + 16 * 5 + 5


def test_nineteen_layers_less_two_of_the_head():
    with torch.device("meta"):
        network = vgg19bn(3, 10, 64)
    assert sum(isinstance(m, nn.Conv2d) for m in network) == 16
    assert sum(isinstance(m, nn.Linear) for m in network) == 1


@pytest.mark.parametrize(("side", "sides"), [(32, [16, 8, 4, 2, 1]), (28, [14, 7, 4, 2, 1])])
def test_pooling_rounds_up(side, sides):
    network, found = vgg19bn(1, 4, 1).eval(), []
    x = torch.zeros(1, 1, side, side)
    for layer in network[:-2]:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            found.append(x.shape[-1])
    assert found == sides
