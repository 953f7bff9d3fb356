"""Texts to vectors: a BERT-family transformer with its tokenizer, as one module.

Nothing is fetched, and no code comes with the weights: the transformer is built by the library
transformers from plain sizes, its weights come from safetensors, its tokenizer from tokenizer.json.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import SafetensorError
from torch import nn

from datadeed.errors import DatadeedError, ModelError
from datadeed.files import read_json

FILES = ("config.json", "tokenizer.json", "model.safetensors")  # as encoders are published


@dataclass(frozen=True)
class _Family:
    """How transformers names a family's classes and sizes.

    Attributes:
        name: of its classes, without "Config" and "Model".
        layers: the number of layers.
        dropouts: the dropout rates of activations and of attention.
        sizes: what else decides the architecture.
        settings: of its model class.
    """

    name: str
    layers: str
    dropouts: tuple[str, str]
    sizes: tuple[str, ...]
    settings: dict[str, bool]


def _like_bert(name: str) -> _Family:
    sizes = "hidden_size num_attention_heads intermediate_size hidden_act type_vocab_size"
    sizes += " layer_norm_eps vocab_size max_position_embeddings pad_token_id"
    dropouts = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    no_pooler = {"add_pooling_layer": False}
    return _Family(name, "num_hidden_layers", dropouts, tuple(sizes.split()), no_pooler)


def _like_distilbert(name: str) -> _Family:
    sizes = "dim n_heads hidden_dim activation vocab_size max_position_embeddings pad_token_id"
    dropouts = ("dropout", "attention_dropout")
    return _Family(name, "n_layers", dropouts, tuple(sizes.split()), {})


_FAMILIES = {
    "bert": _like_bert("Bert"),
    "roberta": _like_bert("Roberta"),
    "distilbert": _like_distilbert("DistilBert"),
}


class TextEncoder(nn.Module):
    """Texts to the mean of their tokens' vectors.

    Args:
        family: "bert", "roberta" or "distilbert".
        sizes: of the transformer, in transformers' names.
        max_length: tokens of a text that count, the two that frame it among them.
        dropout: share of activations and of attention that training drops.
        tokenizer_bytes: how long tokenizer.json is.

    Attributes:
        config: JSON values, the arguments above.
        tokenizer: (tokenizer_bytes,) uint8, tokenizer.json: it travels with the weights.
        dim, pad: the length of a vector, and the number of the padding token.

    Raises:
        ModelError: the values make no such transformer, or the text extra is not installed.
    """

    tokenizer: torch.Tensor

    def __init__(
        self,
        *,
        family: str,
        sizes: dict[str, Any],
        max_length: int,
        dropout: float,
        tokenizer_bytes: int,
    ):
        super().__init__()
        self.config: dict[str, Any] = {
            "family": family,
            "sizes": sizes,
            "max_length": max_length,
            "dropout": dropout,
            "tokenizer_bytes": tokenizer_bytes,
        }
        self.transformer = _transformer(family, sizes, dropout)
        built: Any = self.transformer.config
        self.dim, self.pad = int(built.hidden_size), int(built.pad_token_id)
        # RoBERTa counts positions from the one after the padding's number.
        room = built.max_position_embeddings - (self.pad + 1 if family == "roberta" else 0)
        if not 3 <= max_length <= room:
            raise ModelError(f"max_length {max_length}: give from 3 to {room} tokens")
        self.register_buffer("tokenizer", torch.zeros(tokenizer_bytes, dtype=torch.uint8))
        self._reader: Any = None

    @classmethod
    def read(
        cls, folder: Path, family: str, *, layers: int | None, max_length: int, dropout: float
    ) -> "TextEncoder":
        """An encoder of a folder's sizes and tokenizer, with any weights.

        Args:
            folder: holds config.json and tokenizer.json.
            family, max_length, dropout: as the class takes them.
            layers: keep only the first so many; None keeps all.

        Raises:
            ModelError: a file is missing, describes no such encoder, or has fewer layers.
        """
        sizes = _read_sizes(folder, family, layers)
        try:
            stored = bytearray((folder / "tokenizer.json").read_bytes())
        except OSError as error:
            raise ModelError(f"{folder} has no readable tokenizer.json: fetch it") from error
        encoder = cls(
            family=family,
            sizes=sizes,
            max_length=max_length,
            dropout=float(dropout),
            tokenizer_bytes=len(stored),
        )
        encoder.tokenizer.copy_(torch.frombuffer(stored, dtype=torch.uint8))
        return encoder

    def tokens(self, texts: list[str]) -> torch.Tensor:
        """Token numbers, (N, T) int32 on the CPU, padded with ``pad`` to the longest.

        Raises:
            ModelError: the tokenizer is damaged.
        """
        if self._reader is None:
            self._reader = self._read_tokenizer()
        whole = [text.encode("utf-8", "replace").decode() for text in texts]  # half a surrogate
        rows = [torch.tensor(x.ids, dtype=torch.int32) for x in self._reader.encode_batch(whole)]
        rows.append(torch.zeros(1, dtype=torch.int32))  # no batch is without a column
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad)[:-1]

    def _read_tokenizer(self) -> Any:
        library = text_extra("tokenizers")
        try:
            reader = library.Tokenizer.from_buffer(bytes(self.tokenizer.cpu().numpy()))
            largest = max(reader.get_vocab(with_added_tokens=True).values(), default=0)
            if largest >= self.config["sizes"]["vocab_size"]:
                raise ValueError(f"token {largest} has no embedding")
            reader.encode_special_tokens = True  # "[SEP]" inside a text is only a text
            reader.no_padding()
            reader.enable_truncation(self.config["max_length"])
        except Exception as error:  # tokenizers has no base of its own for its errors
            raise ModelError(
                f"the model's tokenizer is damaged ({_line(error)}): fetch it, or train again"
            ) from error
        return reader

    def lengths(self, ids: torch.Tensor) -> torch.Tensor:
        """Tokens of each row, (N,) int64."""
        return (ids != self.pad).sum(1)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean vectors, (B, D) float32, of (B, T) token numbers."""
        if len(ids) == 0:  # which the transformer does not take
            return torch.zeros(0, self.dim, device=ids.device)
        real = ids != self.pad
        real[:, 0] = True  # so that a text without tokens has a mean too
        used = int(real.any(0).nonzero().max()) + 1
        ids, real = ids[:, :used].long(), real[:, :used]
        with _attention(ids.device):
            hidden = self.transformer(input_ids=ids, attention_mask=real).last_hidden_state
        return (hidden.float() * real.unsqueeze(2)).sum(1) / real.sum(1, keepdim=True)

    def in_batches(
        self, texts: list[str], batch_size: int, answer: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """``answer`` to each text, (N, K) float32 on the CPU, in bfloat16 autocast.

        Texts of about one length share a batch. Which ones does not depend on their order, so no
        bit of the answers does.

        Args:
            texts: N of them.
            batch_size: texts at a time.
            answer: maps (B, T) token numbers on the encoder's device to (B, K).
        """
        ids, device = self.tokens(texts), self.tokenizer.device
        lengths = self.lengths(ids).tolist()
        ranked = sorted(range(len(texts)), key=lambda row: (lengths[row], texts[row]))
        order = torch.tensor(ranked, dtype=torch.int64)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            parts = [answer(ids[rows].to(device)).float().cpu() for rows in order.split(batch_size)]
        return torch.cat(parts)[order.argsort()]

    def load(self, folder: Path) -> None:
        """Read the weights in ``folder``/model.safetensors; those of further layers stay out.

        Raises:
            ModelError: the file is missing, damaged or of another encoder.
        """
        own, path = self.transformer.state_dict(), folder / "model.safetensors"
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                names = {_own_name(key): key for key in file.keys()}  # noqa: SIM118
                state = {key: file.get_tensor(names[key]) for key in own}
            self.transformer.load_state_dict(state)
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            raise ModelError(
                f"{path} does not hold the encoder that config.json describes ({_line(error)}): "
                "fetch both again"
            ) from error


def _read_sizes(folder: Path, family: str, layers: int | None) -> dict[str, Any]:
    names, path = _FAMILIES[family], folder / "config.json"
    try:
        published = read_json(path)
        if published["model_type"] != family:
            raise ValueError(f"but a {published['model_type']}")
        sizes = {name: published[name] for name in (*names.sizes, names.layers)}
        if layers is not None and not 1 <= layers <= sizes[names.layers]:
            raise ValueError(f"of {layers} layers: give from 1 to {sizes[names.layers]}")
    except (DatadeedError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} describes no {family} ({_line(error)})") from error
    return sizes if layers is None else {**sizes, names.layers: layers}


def _transformer(family: str, sizes: dict[str, Any], dropout: float) -> nn.Module:
    """A transformer of these sizes, with any weights."""
    names, library = _FAMILIES[family], text_extra("transformers")
    wanted = (*names.sizes, names.layers)
    if set(sizes) != set(wanted):  # a config could name code or a kernel to fetch, too
        raise ModelError(f"the sizes of a {family} are {', '.join(wanted)}, and no others")
    values = {**sizes, **dict.fromkeys(names.dropouts, dropout), "attn_implementation": "sdpa"}
    try:
        config = getattr(library, f"{names.name}Config")(**values)
        with torch.random.fork_rng(devices=[]):  # it draws from the global state
            network: nn.Module = getattr(library, f"{names.name}Model")(config, **names.settings)
    except Exception as error:  # transformers has no base of its own for its errors
        raise ModelError(f"there is no {family} of these sizes ({_line(error)})") from error
    return network


def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Begin as BERT does: normal, standard deviation 0.02; biases and the padding's vector 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02, generator=generator)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])


def _own_name(key: str) -> str:
    """A weight's name in the bare encoder, of its name in a published file."""
    for prefix in ("distilbert.", "roberta.", "bert."):
        key = key.removeprefix(prefix)
    return key.replace("Norm.gamma", "Norm.weight").replace("Norm.beta", "Norm.bias")


@contextlib.contextmanager
def _attention(device: torch.device) -> Iterator[None]:
    """PyTorch's choice of kernel, but on CUDA its fused ones' gradients are not deterministic."""
    if device.type == "cuda" and torch.is_grad_enabled():
        from torch.nn.attention import SDPBackend, sdpa_kernel

        with sdpa_kernel(SDPBackend.MATH):
            yield
    else:
        yield


def text_extra(name: str) -> Any:
    """A package of the text extra, imported now: transformers takes seconds.

    Raises:
        ModelError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(f"models of texts need {name}: install datadeed[text]") from error


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
