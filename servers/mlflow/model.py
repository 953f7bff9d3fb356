"""The model as MLflow loads it: from this file's code, so that nothing is pickled."""

from typing import Any

import numpy as np
from mlflow.models import set_model  # type: ignore[import-not-found]
from mlflow.pyfunc import PythonModel  # type: ignore[import-not-found]

from servers.classifier import OnnxClassifier


class Thief(PythonModel):
    """Probabilities of a tensor of images."""

    def load_context(self, context: Any) -> None:
        """Open the ONNX file that was saved with the model."""
        self._classifier = OnnxClassifier(context.artifacts["onnx"])

    def predict(self, context: Any, model_input: Any, params: Any = None) -> np.ndarray:
        """(N, K) float32, of (N, C, H, W) images from 0 to 1."""
        return self._classifier.probabilities(model_input)


set_model(Thief())
