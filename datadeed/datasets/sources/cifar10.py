"""CIFAR-10: 32 x 32 colour images of ten classes, from local folders or the publisher."""

from pathlib import Path

from datadeed.datasets.download import download
from datadeed.datasets.formats import archives, cifar_pickle
from datadeed.datasets.places import COMMON, Request, Splits, both, first, local_places

OPTIONS = COMMON
_NAMES = ("cifar10", "cifar-10-batches-py", "cifar-10-python.tar.gz")


def open_source(request: Request) -> Splits:
    """Both splits."""
    cached = request.cache / "cifar10"
    found = [path for path in (*request.candidates(*_NAMES), cached) if path.exists()]

    def splits(path: Path) -> Splits:
        return both(path, cifar_pickle, size=request.size)

    places = local_places(found, splits, cifar_pickle)

    def from_torchvision() -> Splits:
        from torchvision.datasets import CIFAR10

        archive = request.cache / CIFAR10.filename
        download(CIFAR10.url, archive, md5=CIFAR10.tgz_md5)
        archives.extract(archive, cached)
        return splits(cached)

    return first("cifar10", [*places, ("torchvision's address", from_torchvision)])
