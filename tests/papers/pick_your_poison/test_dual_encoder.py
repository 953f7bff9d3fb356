"""Dual encoders: names make a classifier, and captions train one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import nn
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ModelError
from datadeed.models.classifier import Classifier
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from datadeed.thieves.repair.pivotal_tuning import PivotalTuning
from papers.pick_your_poison.dual_encoder import Contrastive, Unit, clip_like, read_clip, with_names

WORDS = ["[unk]", "[start]", "[end]", "a", "cat", "dog", "bird"]


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_unit_has_the_learnt_length_and_no_more_than_a_hundred() -> None:
    x = torch.tensor([[3.0, 4.0]])
    assert torch.allclose(Unit(0.0)(x), torch.tensor([[0.6, 0.8]]))
    assert Unit(50.0)(x).norm().item() == pytest.approx(100, rel=1e-5)


@pytest.fixture(scope="module")
def trained(
    tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> tuple[Classifier, torch.Tensor]:
    """A dual encoder of three classes with two captions each, and their vectors."""
    captions = F.normalize(torch.randn(2, 3, 16, generator=draw(1)), dim=2)
    model = clip_like(tiny_model(width=4), captions.mean(0), draw())
    config = TrainingConfig(epochs=10, lr=0.05, batch_size=32, schedule="one-cycle", flip=False)
    loss = Contrastive(captions, draw(2))
    train(model, toy_dataset(240), config, generator=draw(3), loss=loss)
    return model, captions


def test_captions_train_a_classifier_of_names(
    trained: tuple[Classifier, torch.Tensor], toy_dataset: Callable[..., Dataset]
) -> None:
    model, captions = trained
    names = F.normalize(captions.mean(0))
    assert torch.equal(model.output_layer.weight, names)  # not trained
    test = toy_dataset(90, seed=5)
    assert accuracy(model, test) > 0.95
    x = test.samples[:4]
    assert torch.allclose(model.eval()(x), model.features(x) @ names.T, atol=1e-4)


def test_other_names_in_another_order_give_the_same_classes(
    trained: tuple[Classifier, torch.Tensor], toy_dataset: Callable[..., Dataset]
) -> None:
    model, captions = trained
    other = with_names(model, captions[0].flip(0))  # one template, classes backwards
    test = toy_dataset(90, seed=5)
    assert (other.predict(test.samples).argmax(1) == 2 - test.labels).double().mean() > 0.9
    assert model.output_layer.weight.shape == (3, 16)


def test_a_dual_encoder_is_repaired_like_any_model(
    trained: tuple[Classifier, torch.Tensor], toy_dataset: Callable[..., Dataset]
) -> None:
    model, _ = trained
    tuned = PivotalTuning(steps=4, lr=0.01)(model, toy_dataset(30, seed=6), generator=draw())
    assert torch.equal(tuned.output_layer.weight, model.output_layer.weight)
    first = [next(m.parameters()) for m in (tuned, model)]
    assert not torch.equal(*first)


def test_contrast_is_the_cross_entropy_over_captions_that_are_right() -> None:
    """By hand: two images of one class and one of another, captions along the axes."""

    class Fixed(nn.Module):
        output_layer = nn.Identity()

        def features(self, x: torch.Tensor) -> torch.Tensor:
            return x

    captions = torch.eye(2)[None]  # one template
    x, y = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]]), torch.tensor([0, 1, 1])
    loss, _ = Contrastive(captions, draw())(Fixed(), x, y)  # type: ignore[arg-type]
    fit = x @ captions[0][y].T
    aims = torch.tensor([[1.0, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]])
    found = -(aims * fit.log_softmax(1)).sum(1).mean() / 2
    found -= (aims * fit.T.log_softmax(1)).sum(1).mean() / 2
    assert loss.item() == pytest.approx(found.item(), abs=1e-5)


def test_a_network_without_a_tower_is_refused(tiny_model: Callable[..., Classifier]) -> None:
    vgg = tiny_model(network="vgg16bn", shape=(3, 32, 32))
    if isinstance(vgg.network, nn.Sequential):
        vgg.network = nn.ModuleList(vgg.network)
    with pytest.raises(ModelError, match="no tower"):
        clip_like(vgg, torch.zeros(3, 4), draw())


@pytest.fixture
def clip_folder(tmp_path: Path) -> Path:
    """A CLIP of two tiny towers, as it is published."""
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "projection_dim": 8}
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    text = {**small, "vocab_size": len(WORDS), "max_position_embeddings": 8}
    text |= {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 2}
    config = CLIPConfig(
        text_config=text,
        vision_config={**small, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(tmp_path)
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[unk]"))
    tokenizer.pre_tokenizer = Whitespace()
    frame = [("[start]", 1), ("[end]", 2)]
    tokenizer.post_processor = TemplateProcessing(single="[start] $A [end]", special_tokens=frame)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_published_clip_answers_as_transformers_does(clip_folder: Path) -> None:
    from transformers import CLIPModel

    model = read_clip(clip_folder, ["a cat", "a dog", "bird"], (3, 16, 16))
    images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=draw())
    pixels = (images.float() / 255 - model.mean) / model.std
    ids = torch.tensor([[1, 3, 4, 2], [1, 3, 5, 2], [1, 6, 2, 2]])
    clip = CLIPModel.from_pretrained(clip_folder).eval()
    with torch.no_grad():
        wanted = clip(input_ids=ids, pixel_values=pixels).logits_per_image
        assert torch.allclose(model(images), wanted, atol=1e-4)
        assert model(torch.zeros(2, 3, 9, 9)).shape == (2, 3)
    assert model.features(images).shape == (5, 8)


def test_a_folder_that_holds_no_clip(clip_folder: Path, tmp_path_factory: Any) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ModelError, match="holds no CLIP") as caught:
        read_clip(empty, ["a cat"], (3, 16, 16))
    assert "\n" not in str(caught.value)
    (clip_folder / "model.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(ModelError, match="holds no CLIP"):
        read_clip(clip_folder, ["a cat"], (3, 16, 16))
