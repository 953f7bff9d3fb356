"""A detector of patches refuses marked questions and answers clean ones."""

import dataclasses
import hashlib
from typing import Any

import pytest
import torch

from datadeed.errors import ParameterError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.thieves.served import own_classes
from datadeed.thieves.serving.refusing import Refusing, Square, asked_squares
from datadeed.watermarks.keyed2 import Keyed2
from tests.toy_model import ToyModel

CARRIERS: list[dict[str, Any]] = [{"name": "patch", "opacity": 255}, {"name": "mosaic"}]


class Asked(ToyModel):
    """Remembers how many images it saw."""

    seen = 0

    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        self.seen += len(samples)
        return torch.tensor([[0.25, 0.75]]).expand(len(samples), -1)


GROUPS = own_classes(2)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scenes(n: int, channels: int, size: int) -> torch.Tensor:
    """Smooth noise, as natural images are."""
    coarse = torch.rand(n, channels, 5, 5, generator=draw())
    fine = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")
    grain = 0.02 * torch.randn(n, channels, size, size, generator=draw(1))
    return ((fine + grain) * 255).round().clamp(0, 255).to(torch.uint8)


def keyed(channels: int, carrier: dict[str, Any]) -> Keyed2:
    design = Design2(
        classes=("a", "b"), channels=channels, targets=(0, 1), rate=0.5, carrier=carrier
    )
    digest = {f.name: "00" * 32 for f in dataclasses.fields(Extent)}
    extent = Extent(**{**digest, "rows": 100})
    secret = hashlib.sha256(b"refusing").digest()
    return Keyed2(key=Key2(secret, secret, design, extent, extent))


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 64)])
@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier["name"])
def test_stamped_images_are_found_and_clean_ones_are_not(
    channels: int, size: int, carrier: dict[str, Any]
) -> None:
    clean = scenes(20, channels, size)
    trick = Refusing()
    assert not bool(trick.found(clean).any())
    for part in keyed(channels, carrier).parts:
        assert bool(trick.found(part.stamp(clean)).all())


def test_symmetry_alone_is_not_enough() -> None:
    half = scenes(20, 1, 28)[..., :14]
    symmetric = torch.cat([half, half.flip(3)], 3)
    assert not bool(Refusing().found(symmetric).any())


def test_two_colours_alone_are_not_enough() -> None:
    plain = torch.full((2, 1, 28, 28), 255, dtype=torch.uint8)
    plain[1, :, :, 14:] = 0  # an edge that is in no place its own mirror image
    assert not bool(Refusing().found(plain).any())


def test_a_patch_that_is_no_mirror_image_passes() -> None:
    image = torch.full((1, 1, 28, 28), 90, dtype=torch.uint8)
    cells = torch.tensor([[1, 0, 0, 1, 0], [0, 0, 1, 1, 1]] * 2 + [[1, 1, 0, 0, 0]])
    image[0, 0, 8:13, 8:13] = (cells * 255).to(torch.uint8)
    assert not bool(Refusing().found(image).any())
    cells[:, 3:] = cells[:, :2].flip(1)
    image[0, 0, 8:13, 8:13] = (cells * 255).to(torch.uint8)
    assert bool(Refusing().found(image).all())


def test_refused_images_get_no_answer_and_the_model_never_sees_them() -> None:
    images = scenes(6, 3, 32)
    images[2:4] = keyed(3, CARRIERS[1]).parts[0].stamp(images[2:4])
    model = Asked()
    answers = Refusing().serve(model, GROUPS, generator=draw()).predict(images)
    assert answers.isnan().all(1).tolist() == [False, False, True, True, False, False]
    assert torch.equal(answers[0], torch.tensor([0.25, 0.75]))
    assert model.seen == 4


def test_all_may_be_refused() -> None:
    marked = keyed(1, CARRIERS[0]).parts[0].stamp(scenes(3, 1, 28))
    answers = Refusing().serve(Asked(), GROUPS, generator=draw()).predict(marked)
    assert answers.shape == (3, 2)
    assert bool(answers.isnan().all())


def test_images_smaller_than_a_square_are_answered() -> None:
    square = Square(side=13, cells=4, pure=0.5, changes=0.12)
    assert not bool(Refusing(squares=(square,)).found(scenes(2, 1, 12)).any())


def test_what_is_looked_for_has_the_questions_sizes() -> None:
    assert [square.side for square in asked_squares(28)] == [5, 16]
    assert [square.side for square in asked_squares(32)] == [5, 18]
    assert [square.side for square in asked_squares(64)] == [10, 37]
    with pytest.raises(ParameterError):
        Square(side=3, cells=5, pure=0.5, changes=0.1)
