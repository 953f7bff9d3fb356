"""A BERT of two narrow layers with a dozen words, as a folder of files like published ones."""

import json
from pathlib import Path

import safetensors.torch
import torch

WORDS = ("good", "bad", "film", "a", "very", "not", ".", "##s")
VOCABULARY = {word: i for i, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS))}
_BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "hidden_act": "gelu",
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
_DISTILBERT = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "activation": "gelu"}


def write_encoder(folder: Path, family: str = "bert", *, weights: bool = True) -> Path:
    """Write config.json, tokenizer.json and, if wanted, model.safetensors; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    own = _DISTILBERT if family == "distilbert" else _BERT
    common = {"vocab_size": len(VOCABULARY), "max_position_embeddings": 24, "pad_token_id": 0}
    config = {"model_type": family, **common, **own}
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["Anything"]}))
    (folder / "tokenizer.json").write_text(_tokenizer())
    if weights:
        from datadeed.models.text import build_text

        draw = torch.Generator().manual_seed(7)
        model = build_text(
            family, classes=2, max_length=8, weights=folder, pretrained=False, generator=draw
        )
        state = {f"{family}.{k}": v for k, v in model.encoder.transformer.state_dict().items()}
        state["cls.predictions.bias"] = torch.zeros(3)  # published files hold such heads too
        safetensors.torch.save_file(state, folder / "model.safetensors")
    return folder


def _tokenizer() -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.enable_padding(length=20)  # published files pad and cut in their own way
    tokenizer.enable_truncation(5)
    return tokenizer.to_str()
