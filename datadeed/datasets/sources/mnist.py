"""MNIST: grey images of handwritten digits, from local folders or torchvision's address.

``part: test`` takes the 10,000 test images alone, 8,000 of them for training: the same bytes,
whether or not the place also has the training images.
"""

import itertools
from pathlib import Path

import torch

from datadeed.datasets.download import download
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats import idx
from datadeed.datasets.formats.blocks import Blocks, collect
from datadeed.datasets.places import COMMON, Request, Splits, both, first, local_places
from datadeed.errors import DatadeedError, FetchError, ParameterError

OPTIONS = COMMON | {"part"}
TRAINING = 8000  # of the test images


def open_source(request: Request) -> Splits:
    """Both splits.

    Raises:
        ParameterError: ``part`` is another word than "test".
    """
    part = request.options.get("part")
    if part not in (None, "test"):
        raise ParameterError(f"option 'part' is {part!r}: leave it out, or give test")
    cached = request.cache / "mnist"
    found = [path for path in (*request.candidates("mnist", "MNIST/raw"), cached) if path.exists()]

    def splits(path: Path) -> Splits:
        if part is None:
            return both(path, idx, size=request.size)
        source = idx.open_split(path, "test")
        return _cut(collect(idx.blocks(source, size=request.size), path))

    places = local_places(found, splits, idx)

    def from_torchvision() -> Splits:
        from torchvision.datasets import MNIST

        failure: DatadeedError = FetchError("no address is published")
        for mirror in MNIST.mirrors:
            try:
                for file, md5 in MNIST.resources:
                    download(mirror + file, cached / file, md5=md5)
                return splits(cached)
            except FetchError as error:
                failure = error
        raise failure

    return first("mnist", [*places, ("torchvision's address", from_torchvision)])


def _cut(data: Dataset) -> Splits:
    ends = {"train": (0, TRAINING), "test": (TRAINING, len(data))}
    made = {}
    for name, (start, stop) in ends.items():
        rows = torch.arange(start, stop)
        made[name] = Blocks(len(rows), itertools.chain([data.take(rows)]))
    return made
