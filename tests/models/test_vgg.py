import pytest
import torch
from torch import nn

from datadeed.models.vgg import vgg16bn, vgg19bn


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("build", "published", "biases"),
    [(vgg16bn, 14_728_266, 4224), (vgg19bn, 20_040_522, 5504)],
)
def test_the_published_size_without_biases_that_do_nothing(build, published, biases):
    """As in kuangliu/pytorch-cifar, less the biases before batch norm."""
    with torch.device("meta"):
        network = build(3, 10, 64)
    convolutions = [m for m in network if isinstance(m, nn.Conv2d)]
    assert biases == sum(m.out_channels for m in convolutions)
    assert count(network) == published - biases


@pytest.mark.parametrize(("build", "deep"), [(vgg16bn, 3), (vgg19bn, 4)])
def test_the_size_by_hand(build, deep):
    total, inputs = 0, 1
    for outputs, times in ((2, 2), (4, 2), (8, deep), (16, deep), (16, deep)):
        for _ in range(times):
            total += inputs * outputs * 9 + 2 * outputs
            inputs = outputs
    assert count(build(1, 5, 2)) == total + 16 * 5 + 5


@pytest.mark.parametrize(("build", "layers"), [(vgg16bn, 16), (vgg19bn, 19)])
def test_its_layers_less_two_of_the_head(build, layers):
    with torch.device("meta"):
        network = build(3, 10, 64)
    assert sum(isinstance(m, nn.Conv2d) for m in network) == layers - 3
    assert sum(isinstance(m, nn.Linear) for m in network) == 1


@pytest.mark.parametrize("build", [vgg16bn, vgg19bn])
@pytest.mark.parametrize(("side", "sides"), [(32, [16, 8, 4, 2, 1]), (28, [14, 7, 4, 2, 1])])
def test_pooling_rounds_up(build, side, sides):
    network, found = build(1, 4, 1).eval(), []
    x = torch.zeros(1, 1, side, side)
    for layer in network[:-2]:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            found.append(x.shape[-1])
    assert found == sides
