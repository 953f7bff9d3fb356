"""Image datasets by name."""

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np

from datadeed.datasets.download import debian_package, download
from datadeed.datasets.formats import archives, idx, imagefolder, images
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import Blocks, only_classes
from datadeed.datasets.formats.images import array_blocks
from datadeed.datasets.sources.request import (
    COMMON,
    Place,
    Request,
    Source,
    Splits,
    both,
    first,
    holds_any,
    local_places,
)
from datadeed.errors import DatadeedError, DatasetError, FetchError, ParameterError

# SHA-256 of the IDX files as decompressed: publishers compress them differently.
FASHION_MNIST = {
    ("train", "images"): "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ("train", "labels"): "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ("test", "images"): "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ("test", "labels"): "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def _fashion_mnist(request: Request) -> Splits:
    cached = request.cache / "fashion-mnist"
    found = request.candidates("fashion-mnist", "FashionMNIST/raw")
    found += [path / "FashionMNIST" / "raw" for path in found]
    local = [path for path in [*found, cached] if holds_any(path)]
    places: list[Place] = [
        (str(path), functools.partial(_checked_fashion, path, request)) for path in local
    ]

    def from_torchvision() -> Splits:
        from torchvision.datasets import FashionMNIST

        failure: DatadeedError = FetchError("no address is published")
        for mirror in FashionMNIST.mirrors:
            try:
                for file, md5 in FashionMNIST.resources:
                    download(mirror + file, cached / file, md5=md5)
                return _checked_fashion(cached, request)
            except FetchError as error:
                failure = error
        raise failure

    def from_debian() -> Splits:
        with tempfile.TemporaryDirectory(prefix="datadeed-") as temporary:
            debian_package("dataset-fashion-mnist", Path(temporary))
            files = list(Path(temporary).glob("usr/share/**/*-ubyte.gz"))
            with archives.atomic_folder(cached, keep=True) as folder:
                for file in files:
                    (folder / file.name).unlink(missing_ok=True)
                    shutil.copyfile(file, folder / file.name)
        return _checked_fashion(cached, request)

    places += [
        ("torchvision's address", from_torchvision),
        ("Debian's package", from_debian),
    ]
    return first("fashion-mnist", places)


def _checked_fashion(path: Path, request: Request) -> Splits:
    """Both splits, compared with the published data to the last bit, with the classes' names."""
    from torchvision.datasets import FashionMNIST

    splits: Splits = {}
    for name in ("train", "test"):
        data = formats.read(path, split=name)
        pixels = data.samples[:, 0].numpy()
        for kind, array in (("images", pixels), ("labels", data.labels.numpy())):
            if hashlib.sha256(idx.encode(array)).hexdigest() != FASHION_MNIST[name, kind]:
                raise DatasetError(f"{path} holds other {name} {kind} than were published")
        columns = (data.labels.numpy(), data.index.numpy(), tuple(FashionMNIST.classes))
        blocks = array_blocks(pixels[..., None], *columns, size=request.size)
        splits[name] = Blocks(len(data), blocks)
    return splits


def _cifar10(request: Request) -> Splits:
    cached = request.cache / "cifar10"
    names = ("cifar10", "cifar-10-batches-py", "cifar-10-python.tar.gz")
    places = local_places([*request.candidates(*names), cached], size=request.size)

    def from_torchvision() -> Splits:
        from torchvision.datasets import CIFAR10

        archive = request.cache / CIFAR10.filename
        download(CIFAR10.url, archive, md5=CIFAR10.tgz_md5)
        archives.extract(archive, cached)
        return both(cached, size=request.size)

    return first("cifar10", [*places, ("torchvision's address", from_torchvision)])


def _imagenet_subset(request: Request) -> Splits:
    wanted = _wanted_classes(request.options.get("classes"))
    found = request.candidates("imagenet", "ILSVRC/Data/CLS-LOC", "tiny-imagenet-50")
    places: list[Place] = [
        (str(path), functools.partial(_imagenet, path, request, wanted))
        for path in found
        if holds_any(path)
    ]
    return first("imagenet-subset", places)


def _imagenet(path: Path, request: Request, wanted: list[str] | int | None) -> Splits:
    if formats.detect(path) != "huggingface":
        # The folder "test" of ImageNet has no labels, so "val" comes first.
        test = next((name for name in ("val", "validation") if (path / name).is_dir()), "test")
        return {
            name: formats.chunks(
                path, format="imagefolder", split=split, size=request.size, classes=wanted
            )
            for name, split in (("train", "train"), ("test", test))
        }
    splits = both(path, size=request.size, format="huggingface")
    if wanted is None:
        return splits
    return {name: only_classes(blocks, wanted, path) for name, blocks in splits.items()}


def _wanted_classes(value: object) -> list[str] | int | None:
    """Option ``classes``: a number of classes, a list of WordNet ids, or a file of them."""
    if isinstance(value, str):
        try:
            lines = Path(value).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ParameterError(f"option 'classes' names {value}, which has no text") from error
        value = [line.split()[0] for line in lines if line.strip()]
    if value is None or (isinstance(value, int) and value >= 2):
        return value
    if isinstance(value, list) and len(value) >= 2 and len(set(map(str, value))) == len(value):
        return [str(name) for name in value]
    raise ParameterError(
        f"option 'classes' is {str(value)[:60]!r}: give a number, or a list or file of ids, of two "
        "different classes or more"
    )


def _caltech256(request: Request) -> Splits:
    inner = "256_ObjectCategories"
    found = request.candidates(f"caltech-256/{inner}", inner, "caltech-256")
    places: list[Place] = [
        (str(path), functools.partial(_every_fifth, path, request))
        for path in found
        if imagefolder.matches(path)
    ]
    return first("caltech-256", places)


def _every_fifth(path: Path, request: Request) -> Splits:
    """Every fifth image of a class, by name, for testing; the rest for training."""
    found = imagefolder.listing(path)
    place = np.empty(len(found.files), dtype=np.int64)
    for label in range(len(found.classes)):
        rows = np.flatnonzero(found.labels == label)
        place[rows[np.argsort([found.files[row] for row in rows])]] = np.arange(len(rows))
    splits: Splits = {}
    for name, rows in (("train", place % 5 != 4), ("test", place % 5 == 4)):
        items = [
            images.Item(found.files[row], Path(found.files[row]), int(found.labels[row]), int(row))
            for row in np.flatnonzero(rows)
        ]
        blocks = images.image_blocks(iter(items), found.classes, channels=3, size=request.size)
        splits[name] = Blocks(len(items), blocks)
    return splits


IMAGE_SOURCES = {
    "caltech-256": Source(_caltech256, COMMON),
    "fashion-mnist": Source(_fashion_mnist, COMMON),
    "cifar10": Source(_cifar10, COMMON),
    "imagenet-subset": Source(_imagenet_subset, COMMON | {"classes"}),
}
