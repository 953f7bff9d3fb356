"""The papers' networks, each with a ``width``, behind models that take raw samples."""

from datadeed.models.classifier import NETWORKS, Classifier, build
from datadeed.models.model import Model
from datadeed.models.stored import load_model, save_model

__all__ = ["NETWORKS", "Classifier", "Model", "build", "load_model", "save_model"]
