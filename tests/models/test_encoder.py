import importlib
import shutil

import pytest
import safetensors.torch
import torch

from datadeed.errors import ModelError
from datadeed.models.text import build_text
from tests.models.compare import same_weights
from tests.models.tiny_text import VOCABULARY

pytest.importorskip("transformers")


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def test_tokens_by_hand(make):
    model, number = make(max_length=6), VOCABULARY
    cls, sep, pad = number["[CLS]"], number["[SEP]"], number["[PAD]"]
    ids = model.encode(["A GOOD film", "", "films zzz", "a a a a a a a a"])
    assert ids.dtype == torch.int32
    assert ids.tolist() == [
        [cls, number["a"], number["good"], number["film"], sep, pad],
        [cls, sep, pad, pad, pad, pad],
        [cls, number["film"], number["##s"], number["[UNK]"], sep, pad],
        [cls, *[number["a"]] * 4, sep],
    ]
    assert model.lengths(ids).tolist() == [5, 2, 5, 6]
    assert model.encode(["a", ""]).shape == (2, 3)  # no longer than the longest


def test_what_looks_like_a_special_token_is_only_text(make):
    row = make().encode(["a [SEP] [PAD] film"])[0].tolist()
    specials = {VOCABULARY["[SEP]"], VOCABULARY["[PAD]"], VOCABULARY["[CLS]"]}
    assert not specials & set(row[1:-1])
    assert (row[1], row[-2]) == (VOCABULARY["a"], VOCABULARY["film"])


def test_half_a_surrogate_is_a_question_mark(make):
    model = make()
    assert torch.equal(model.predict(["a \ud800 film"]), model.predict(["a ? film"]))


def test_a_vector_is_the_mean_of_its_tokens(make):
    encoder = make().eval().encoder
    ids = encoder.tokens(["a good film", "bad"])
    hidden = encoder.transformer(
        input_ids=ids.long(), attention_mask=(ids != 0).long()
    ).last_hidden_state
    expected = torch.stack([hidden[0].mean(0), hidden[1, :3].mean(0)])
    assert torch.allclose(encoder(ids), expected, atol=1e-6)


def test_drawn_weights_begin_as_berts_do(make):
    model = make(pretrained=False)
    state = model.encoder.transformer.state_dict()
    word = state["embeddings.word_embeddings.weight"]
    assert float(word[1:].std()) == pytest.approx(0.02, rel=4 / (2 * word[1:].numel()) ** 0.5)
    assert not bool(word[0].any())
    assert not bool(state["encoder.layer.1.output.dense.bias"].any())
    assert bool((state["encoder.layer.1.output.LayerNorm.weight"] == 1).all())


@pytest.mark.parametrize("network", ["bert", "roberta", "distilbert"])
def test_published_weights_are_read_under_their_names(make, folders, network):
    state = make(network=network).encoder.transformer.state_dict()
    published = safetensors.torch.load_file(folders[network] / "model.safetensors")
    assert len(state) == len(published) - 1
    assert all(torch.equal(value, published[f"{network}.{key}"]) for key, value in state.items())


def test_old_names_of_norms_are_read_too(make, folders, tmp_path):
    folder = shutil.copytree(folders["bert"], tmp_path / "old")
    state = safetensors.torch.load_file(folder / "model.safetensors")
    renamed = {
        key.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
        for key, value in state.items()
    }
    assert set(renamed) != set(state)
    safetensors.torch.save_file(renamed, folder / "model.safetensors")
    assert same_weights(make(weights=folder), make())


def test_layers_cut_the_encoder_to_its_first(make):
    cut, whole = make(layers=1).encoder.state_dict(), make().encoder.state_dict()
    assert 0 < len(cut) < len(whole)
    assert all(torch.equal(value, whole[key]) for key, value in cut.items())
    assert not [key for key in cut if "layer.1." in key]
    ids = make().encode(["a film"])
    vectors = [make(layers=n).eval().encoder(ids) for n in (1, 2)]
    assert not torch.allclose(*vectors, atol=1e-4)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda stored: stored[:-9], "EOF"),
        (lambda stored: b"", "EOF"),
        (lambda stored: stored.replace(b'"good":4', b'"good":99'), "token 99 has no embedding"),
    ],
)
def test_a_damaged_tokenizer_is_one_line(make, damage, words):
    model = make()
    bad = bytearray(damage(bytes(model.encoder.tokenizer.numpy())))
    model.encoder.tokenizer = torch.tensor(list(bad), dtype=torch.uint8)
    with pytest.raises(ModelError, match=f"tokenizer is damaged .*{words}") as caught:
        model.predict(["a film"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": "gpt"}, "unknown network 'gpt': choose one of minilm"),
        ({"network": "bert", "weights": None}, r"fetch config.json, tokenizer.json, model"),
        ({"network": "roberta", "weights": "/nowhere"}, "weights is '/nowhere'"),
        ({"layers": 0}, "of 0 layers: give from 1 to 2"),
        ({"layers": 3}, "of 3 layers: give from 1 to 2"),
        ({"max_length": 2}, "give from 3 to 24 tokens"),
        ({"max_length": 25}, "give from 3 to 24 tokens"),
        ({"network": "roberta", "max_length": 24}, "give from 3 to 23 tokens"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_bad_values_are_one_line(folders, values, words):
    chosen = {"network": "bert", "max_length": 16, **values}
    chosen.setdefault("weights", folders.get(chosen["network"]))
    with pytest.raises(ModelError, match=words) as caught:
        build_text(chosen.pop("network"), classes=2, generator=draw(), **chosen)
    assert "\n" not in str(caught.value)


def test_a_folder_of_another_family_is_refused(make, folders):
    with pytest.raises(ModelError, match=r"describes no bert \(but a distilbert"):
        make(weights=folders["distilbert"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_incomplete_files_are_one_line(make, folders, tmp_path, name, damage):
    folder = shutil.copytree(folders["bert"], tmp_path / "copy")
    (folder / name).unlink()
    if damage == "damaged":
        (folder / name).write_text("{}")
    with pytest.raises(ModelError, match=name.split(".")[0]) as caught:
        make(weights=folder).predict(["a film"])
    assert "\n" not in str(caught.value)


def test_a_missing_extra_is_named(make, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModelError, match=r"need transformers: install datadeed\[text\]"):
        make()
    with pytest.raises(ModelError, match=r"install datadeed\[text\]"):
        build_text("minilm", classes=2, generator=draw())
