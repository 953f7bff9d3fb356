"""A model of ours as an ONNX file, so that no server needs torch."""

import warnings
from pathlib import Path

import numpy as np
import torch

from datadeed.errors import DatadeedError
from datadeed.files import atomic_path
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model

TOLERANCE = 1e-3  # of a logit; float32 sums in another order differ by about 1e-5


def export(folder: Path, path: Path) -> None:
    """Write ``image``, (n, C, H, W) float32 from 0 to 1, to ``logits``, (n, K) float32.

    Args:
        folder: a model that :func:`datadeed.models.stored.save_model` wrote.
        path: the ONNX file to make.

    Raises:
        ModelError: the folder holds no model.
        DatadeedError: the file computes something else than the model.
    """
    model = load_model(folder, "cpu", Classifier).eval()
    images = torch.rand(8, *model.config["shape"], generator=torch.Generator().manual_seed(0))
    with atomic_path(path) as temporary, warnings.catch_warnings():
        # The newer exporter, which this warning recommends, needs a package that is not locked.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            (images[:1],),
            str(temporary),
            dynamo=False,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
        )
    _check(path, model, images)


@torch.no_grad()
def _check(path: Path, model: torch.nn.Module, images: torch.Tensor) -> None:
    from servers.classifier import OnnxClassifier  # onnxruntime is an extra

    difference = np.abs(OnnxClassifier(str(path)).logits(images.numpy()) - model(images).numpy())
    if not difference.max() < TOLERANCE:
        raise DatadeedError(
            f"{path}: its logits differ from the model's by {difference.max():.2g}: the export is "
            "at fault, try another version of torch or onnxruntime"
        )
