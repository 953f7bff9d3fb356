import pytest
import torch
from torch import nn

from datadeed.models.resnet import BasicBlock, GlobalAverage, resnet18


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_published_size():
    """11,173,962 parameters: ResNet-18 for CIFAR-10 as in kuangliu/pytorch-cifar."""
    with torch.device("meta"):
        assert count(resnet18(3, 10, 64)) == 11_173_962


def test_the_size_by_hand():
    def conv_and_norm(inputs, outputs, side):
        return inputs * outputs * side**2 + 2 * outputs

    total, inputs = conv_and_norm(1, 2, 3), 2
    for outputs in (2, 4, 8, 16):
        total += conv_and_norm(inputs, outputs, 3) + 3 * conv_and_norm(outputs, outputs, 3)
        total += conv_and_norm(inputs, outputs, 1) if inputs != outputs else 0
        inputs = outputs
    assert count(resnet18(1, 5, 2)) == total + 16 * 5 + 5


def test_eighteen_layers_with_weights():
    with torch.device("meta"):
        network = resnet18(3, 10, 64)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    shortcuts = [m for m in layers if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert (len(layers) - len(shortcuts), len(shortcuts)) == (18, 3)
    assert not any(isinstance(m, nn.MaxPool2d) for m in network.modules())


def test_stages_halve_the_image():
    network = resnet18(3, 4, 2).eval()
    x, sides = torch.zeros(1, 3, 32, 32), []
    for layer in network[:-1]:
        x = layer(x)
        sides.append(x.shape[-1])
    assert sides == [32] * 5 + [16] * 2 + [8] * 2 + [4] * 2 + [16]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_adds_its_shortcut(stride):
    block = BasicBlock(2, 4, stride).eval()
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), block.shortcut(x).relu())


def test_global_average_is_the_mean():
    x = torch.arange(24.0).view(1, 2, 3, 4)
    assert torch.equal(GlobalAverage()(x), torch.tensor([[5.5, 17.5]]))
