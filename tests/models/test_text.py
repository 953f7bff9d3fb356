import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Form
from datadeed.datasets.form.texts import Texts
from datadeed.errors import ModelError
from datadeed.models.audio import AudioClassifier
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.models.text import TextClassifier, build_text
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from tests.models.compare import same_weights
from tests.models.tiny_text import write_encoder

pytest.importorskip("transformers")

TEXTS = ["a good film .", "", "bad", "not a very good film . not a very bad film", "films", "zzz"]


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(n=64, seed=0):
    """The word "good" or "bad" among others, at any place: separable at sight."""
    generator, rows = draw(seed), []
    for label in (torch.arange(n) % 2).tolist():
        words = [("a", "very", "film", ".")[i] for i in torch.randint(4, (4,), generator=generator)]
        words.insert(int(torch.randint(5, (1,), generator=generator)), ("bad", "good")[label])
        rows.append(" ".join(words))
    return Texts(rows, torch.arange(n) % 2, torch.arange(n), ("negative", "positive"))


@pytest.mark.parametrize("network", ["bert", "roberta", "distilbert"])
def test_logits_and_probabilities_have_a_column_a_class(make, network):
    model = make(network=network, classes=3)
    logits = model.eval()(model.encode(TEXTS))
    assert (logits.shape, logits.dtype) == ((6, 3), torch.float32)
    answer = model.predict(TEXTS)
    assert (answer.shape, answer.dtype) == ((6, 3), torch.float32)
    assert torch.allclose(answer.sum(1), torch.ones(6), atol=1e-5)
    assert torch.allclose(answer, logits.softmax(1), atol=2e-2)  # bfloat16
    assert model.predict([]).shape == (0, 3)


@pytest.mark.parametrize("network", ["bert", "roberta", "distilbert"])
def test_padding_changes_nothing(make, network):
    model = make(network=network).eval()
    ids = model.encode(TEXTS)
    wide = torch.nn.functional.pad(ids, (0, 5), value=model.encoder.pad)
    assert torch.equal(model(wide), model(ids))  # trimmed
    alone = torch.cat([model(model.encode([text])) for text in TEXTS])
    assert torch.allclose(model(ids), alone, atol=1e-5)


def test_a_row_of_padding_alone_has_an_answer(make):
    model = make().eval()
    assert bool(model(torch.zeros(2, 3, dtype=torch.int32)).isfinite().all())


@settings(max_examples=15)
@given(order=st.permutations(range(len(TEXTS))), batch_size=st.integers(1, 7))
def test_the_order_of_texts_changes_no_bit(make, order, batch_size):
    model = make()
    whole = model.predict(TEXTS, batch_size=batch_size)
    shuffled = model.predict([TEXTS[row] for row in order], batch_size=batch_size)
    assert torch.equal(shuffled, whole[list(order)])
    assert torch.allclose(whole, model.predict(TEXTS), atol=1e-2)
    assert not model.training


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_generator_alone_decides_the_weights(make, pretrained):
    before = torch.get_rng_state()
    one = make(3, pretrained=pretrained)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert same_weights(one, make(3, pretrained=pretrained))
    other = make(4, pretrained=pretrained)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert same_weights(one.encoder, other.encoder) == pretrained
    torch.set_rng_state(before)


@pytest.mark.parametrize("network", ["bert", "roberta", "distilbert"])
def test_a_model_comes_back_whole_from_its_folder_alone(tmp_path, network):
    folder = write_encoder(tmp_path / "encoder", network)
    model = build_text(network, classes=2, max_length=9, weights=folder, generator=draw())
    before = model.predict(TEXTS)
    save_model(model, tmp_path / "m", {"note": "kept"})
    shutil.rmtree(folder)
    state = torch.get_rng_state()
    again = load_model(tmp_path / "m", "cpu", TextClassifier)
    assert torch.equal(torch.get_rng_state(), state)
    assert same_weights(again, model)
    assert torch.equal(again.predict(TEXTS), before)
    assert again.config == model.config == json.loads(json.dumps(model.config))


@pytest.fixture
def saved(tmp_path, make):
    """A folder that holds a model."""
    save_model(make(), tmp_path / "m", {})
    return tmp_path / "m"


@pytest.mark.parametrize("kind", [Classifier, AudioClassifier])
def test_another_kind_of_model_is_refused(saved, kind):
    with pytest.raises(ModelError, match=f"takes text and not {kind.modality}"):
        load_model(saved, "cpu", kind)


@pytest.mark.parametrize(
    "change",
    [
        {"family": "gpt"},
        {"sizes": 3},
        {"max_length": 99},
        {"tokenizer_bytes": -1},
        {"dropout": 2},
        {"new": 1},
        *[
            {"sizes": {"bert": one}}
            for one in (
                {"num_attention_heads": 0},
                {"num_attention_heads": 3},
                {"hidden_size": "16"},
                {"hidden_act": "nothing"},
                {"vocab_size": -1},
                {"auto_map": {"AutoModel": "evil.Model"}},
                {"attn_implementation": "owner/kernel"},
            )
        ],
    ],
)
def test_a_record_that_describes_no_model_is_one_line(saved, change):
    record = json.loads((saved / "model.json").read_text())
    encoder = record["config"]["encoder"]
    if isinstance(change.get("sizes"), dict):
        change = {"sizes": encoder["sizes"] | change["sizes"]["bert"]}
    encoder |= change
    (saved / "model.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="does not describe a model") as caught:
        load_model(saved, "cpu", TextClassifier)
    assert "\n" not in str(caught.value)


CONFIG = TrainingConfig(
    epochs=6, lr=3e-3, batch_size=8, optimiser="adamw", bucketed=True, flip=False
)


def test_it_learns_what_can_be_learned(make):
    model = make(dropout=0.0)
    train(model, toy(), CONFIG, generator=draw())
    assert accuracy(model, toy(40, seed=1)) == 1


def test_the_seed_decides_every_bit_of_a_training(make):
    def trained(seed):
        model = make()  # with dropout
        train(model, toy(24), CONFIG, generator=draw(seed))
        return model

    one = trained(1)
    assert same_weights(one, trained(1))
    assert not same_weights(one, trained(2))


def test_all_weights_are_trained(make):
    model = make()
    before = {key: value.clone() for key, value in model.named_parameters()}
    train(model, toy(24), CONFIG, generator=draw())
    # A key's bias shifts all of a row's scores alike: its gradient is 0 but for rounding.
    still = {key for key, value in model.named_parameters() if torch.equal(value, before[key])}
    assert not {key for key in still if not key.endswith("key.bias")}


def test_any_form_of_texts_will_do(make, folders):
    model = TextClassifier.new(
        "bert",
        form=Form("text", ()),
        classes=2,
        generator=draw(),
        weights=folders["bert"],
        max_length=16,
    )
    assert same_weights(model, make())
