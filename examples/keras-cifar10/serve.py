"""Somebody else's server: LitServe around a Keras model.

KERAS_BACKEND=torch python serve.py MODEL.keras PORT
"""

import sys

import keras
import litserve
import numpy as np


class Api(litserve.LitAPI):
    """Takes {"image": (32, 32, 3) numbers from 0 to 1}, gives {"probabilities": 10 numbers}."""

    def setup(self, device):
        self.model = keras.models.load_model(sys.argv[1], compile=False)

    def decode_request(self, request):
        return np.asarray(request["image"], "float32")

    def predict(self, image):
        return np.asarray(self.model(image[None], training=False))[0]

    def encode_response(self, output):
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)
