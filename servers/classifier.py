"""The exported model as every server runs it; imported in the servers' own environments."""

import numpy as np
import onnxruntime  # type: ignore[import-untyped]


class OnnxClassifier:
    """A model that :func:`servers.export.export` wrote.

    Attributes:
        shape: (C, H, W) of an image.
    """

    def __init__(self, path: str):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one image at a time gains nothing from more
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.shape: tuple[int, ...] = tuple(self._session.get_inputs()[0].shape[1:])

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, K) float32, of (N, C, H, W) images from 0 to 1."""
        (values,) = self._session.run(["logits"], {"image": images.astype(np.float32)})
        return np.asarray(values)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(N, K) float32 softmax, of (N, C, H, W) images from 0 to 1."""
        logits = self.logits(images)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        scores: np.ndarray = weights / weights.sum(1, keepdims=True)
        return scores
