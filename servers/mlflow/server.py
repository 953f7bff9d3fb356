"""``python -m servers.mlflow.server MODEL.onnx PORT``: saves the model here, then serves it."""

import os
import sys
from pathlib import Path

import mlflow.pyfunc  # type: ignore[import-not-found]
import numpy as np
from mlflow.models import ModelSignature  # type: ignore[import-not-found]
from mlflow.types import Schema, TensorSpec  # type: ignore[import-not-found]

from servers.classifier import OnnxClassifier

SAVED = "saved"


def save(path: str) -> None:
    """Write an MLflow model with a tensor signature."""
    shape = (-1, *OnnxClassifier(path).shape)
    mlflow.pyfunc.save_model(
        SAVED,
        python_model=str(Path(__file__).with_name("model.py")),
        artifacts={"onnx": path},
        signature=ModelSignature(Schema([TensorSpec(np.dtype(np.float32), shape)])),
        pip_requirements=["onnxruntime"],  # otherwise it runs the model to find them
    )


if __name__ == "__main__":
    save(sys.argv[1])
    command = ["mlflow", "models", "serve", "--model-uri", SAVED, "--env-manager", "local"]
    os.execvp("mlflow", [*command, "--host", "127.0.0.1", "--port", sys.argv[2]])
