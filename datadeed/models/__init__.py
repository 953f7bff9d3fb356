"""The papers' networks, each with a ``width``, behind one classifier that takes raw images."""

from datadeed.models.classifier import NETWORKS, Classifier, build, load_model, save_model

__all__ = ["NETWORKS", "Classifier", "build", "load_model", "save_model"]
