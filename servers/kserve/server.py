"""``python -m servers.kserve.server MODEL.onnx PORT``: one model for versions 1 and 2."""

import sys
from typing import Any

import numpy as np
import uvicorn
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer  # type: ignore[import-not-found]

from servers.classifier import OnnxClassifier


class LocalConfig(uvicorn.Config):
    """KServe listens on all addresses and has no option for it; this one listens here alone."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **{**options, "host": "127.0.0.1"})


class Thief(Model):
    """Probabilities to version 1, logits to version 2."""

    def __init__(self, path: str):
        super().__init__("thief")
        self._classifier = OnnxClassifier(path)
        self.ready = True

    def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: Any = None,
        response_headers: Any = None,
    ) -> dict[str, Any] | InferResponse:
        """Answer ``{"instances": [...]}`` or tensors, which may have come as bytes."""
        if isinstance(payload, dict):
            images = np.asarray(payload["instances"], np.float32)
            return {"predictions": self._classifier.probabilities(images).tolist()}
        logits = self._classifier.logits(payload.inputs[0].as_numpy())
        output = InferOutput("logits", list(logits.shape), "FP32")
        wanted = payload.request_outputs or []
        binary = any((one.parameters or {}).get("binary_data") for one in wanted)
        output.set_data_from_numpy(logits, binary_data=binary)
        return InferResponse(payload.id or "1", self.name, [output], requested_outputs=wanted)


if __name__ == "__main__":
    uvicorn.Config = LocalConfig  # type: ignore[misc]
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False).start([Thief(sys.argv[1])])
