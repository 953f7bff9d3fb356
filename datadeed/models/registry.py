"""The models by the modality of their samples. Naming one imports that one alone."""

import pkgutil

from datadeed.models.model import Model

MODELS = {
    "image": "datadeed.models.classifier:Classifier",
    "audio": "datadeed.models.audio:AudioClassifier",
    "text": "datadeed.models.text:TextClassifier",
}


def model_class(modality: str) -> type[Model]:
    """The model of samples of a modality, a key of :data:`MODELS`."""
    kind: type[Model] = pkgutil.resolve_name(MODELS[modality])
    return kind
