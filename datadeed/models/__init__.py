"""The papers' networks, each with a ``width``, behind models that take raw samples."""

from datadeed.models.audio import AudioClassifier
from datadeed.models.classifier import NETWORKS, Classifier, build
from datadeed.models.model import Model
from datadeed.models.stored import load_model, save_model
from datadeed.models.text import SentenceEncoder, TextClassifier

MODELS: dict[str, type[Model]] = {
    kind.modality: kind for kind in (Classifier, AudioClassifier, TextClassifier)
}

__all__ = [
    "MODELS",
    "NETWORKS",
    "AudioClassifier",
    "Classifier",
    "Model",
    "SentenceEncoder",
    "TextClassifier",
    "build",
    "load_model",
    "save_model",
]
