import pytest
import torch
from torch import nn

from datadeed.errors import ModelError
from datadeed.models.inception import inception_v3, scaled


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_published_size():
    """27,161,264 of torchvision's, less the 3,326,696 of the auxiliary head."""
    with torch.device("meta"):
        assert count(inception_v3(3, 1000, 64)) == 27_161_264 - 3_326_696


def test_the_blocks_are_the_published_ones():
    """With the same weights they answer as torchvision's do, whose reductions are not padded."""
    from torchvision.models.inception import Inception3

    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = Inception3(num_classes=3, aux_logits=False, init_weights=False).eval()
        ours = inception_v3(3, 3, 64).eval()
        x = torch.rand(2, 192, 9, 9)
    for mine, published in zip(
        ours.state_dict().values(), theirs.state_dict().values(), strict=True
    ):
        mine.copy_(published)
    stem, blocks = 5, [m for name, m in theirs.named_children() if name.startswith("Mixed")]
    for module in ours[0][stem:].modules():
        if getattr(module, "stride", 1) in ((2, 2), 2):
            module.padding = (0, 0)
    with torch.no_grad():
        mine = ours[0][stem:](x)
        published = nn.Sequential(*blocks)(x)
    assert mine.shape == published.shape == (2, 2048, 1, 1)
    assert torch.allclose(mine, published, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "grids"), [(28, [14, 7, 4]), (32, [16, 8, 4]), (64, [32, 16, 8]), (8, [4, 2, 1])]
)
def test_grids_halve_thrice(side, grids):
    x, found = torch.zeros(1, 1, side, side), []
    network = inception_v3(1, 4, 1).eval()
    for layer in network[0]:
        x = layer(x)
        if x.shape[-1] not in found:
            found.append(x.shape[-1])
    assert found == grids
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 4)


def test_width_scales_every_layer():
    with torch.device("meta"):
        one, half = inception_v3(3, 7, 64), inception_v3(3, 7, 32)
    pairs = [
        (a.out_channels, b.out_channels)
        for a, b in zip(one.modules(), half.modules(), strict=True)
        if isinstance(a, nn.Conv2d)
    ]
    assert len(pairs) == 94
    assert all(a == 2 * b for a, b in pairs)


def test_scaled_channels_are_at_least_one():
    assert [scaled(96, width) for width in (64, 32, 8, 1)] == [96, 48, 12, 2]
    assert scaled(32, 1) == 1
    for width in (0, -1):
        with pytest.raises(ModelError, match=f"width {width}: give 1 or more"):
            scaled(96, width)
