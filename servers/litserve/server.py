"""``python -m servers.litserve.server MODEL.onnx PORT``: answers with a class number alone."""

import sys
from typing import Any

import litserve  # type: ignore[import-not-found]
import numpy as np

from servers.classifier import OnnxClassifier


class Thief(litserve.LitAPI):
    """``{"input": image}`` in, ``{"label": number}`` out."""

    def __init__(self, path: str):
        super().__init__()
        self._path = path

    def setup(self, device: str) -> None:
        """Open the ONNX file, in the worker's process."""
        self._classifier = OnnxClassifier(self._path)

    def decode_request(self, request: dict[str, Any], **_: Any) -> np.ndarray:
        """One image as a batch. The annotation of ``request`` makes LitServe read a JSON body."""
        return np.asarray(request["input"], np.float32)[None]

    def predict(self, x: np.ndarray, **_: Any) -> int:
        """The best class."""
        return int(self._classifier.logits(x).argmax())

    def encode_response(self, output: int, **_: Any) -> dict[str, int]:
        """As JSON."""
        return {"label": output}


if __name__ == "__main__":
    server = litserve.LitServer(Thief(sys.argv[1]), accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False
    )
