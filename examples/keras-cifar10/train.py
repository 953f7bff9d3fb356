"""Somebody else's training: Keras on CIFAR-10 as Hugging Face Parquet. No datadeed in here.

KERAS_BACKEND=torch python train.py FOLDER OUT.keras EPOCHS
"""

import io
import sys

import keras
import numpy as np
import pyarrow.parquet as pq
from keras import layers
from PIL import Image


def load(path):
    """Images as (N, 32, 32, 3) float32 from 0 to 1, and labels."""
    table = pq.read_table(path)
    images = [Image.open(io.BytesIO(row["bytes"])) for row in table["image"].to_pylist()]
    pixels = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return pixels.astype("float32") / 255, np.array(table["label"].to_pylist())


def block(width):
    """Two convolutions and a pooling."""
    for _ in range(2):
        yield layers.Conv2D(width, 3, padding="same", use_bias=False)
        yield layers.BatchNormalization()
        yield layers.ReLU()
    yield layers.MaxPooling2D()


folder, out, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
x, y = load(f"{folder}/train-00000-of-00001.parquet")
model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        layers.RandomFlip("horizontal"),
        *block(24),
        *block(48),
        *block(96),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax"),
    ]
)
schedule = keras.optimizers.schedules.CosineDecay(2e-3, len(x) // 128 * epochs)
model.compile(
    optimizer=keras.optimizers.Adam(schedule),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
test = load(f"{folder}/test-00000-of-00001.parquet")
model.fit(x, y, batch_size=128, epochs=epochs, verbose=2, validation_data=test)
model.save(out)
