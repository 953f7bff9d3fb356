"""Where the named datasets come from; each place is tried in turn.

A source is one entry in :data:`SOURCES`. An owner adds a dataset without one: ``source: folder``
reads any local path in any format of :mod:`datadeed.datasets.formats`.
"""

import functools
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadeed.datasets import formats
from datadeed.datasets.download import debian_package, download
from datadeed.datasets.formats import archives, idx
from datadeed.datasets.formats.blocks import Blocks, first_block, only_classes
from datadeed.datasets.formats.images import array_blocks
from datadeed.errors import DatadeedError, DatasetError, FetchError, ParameterError

LOCAL = "DATADEED_DATA"
Splits = dict[str, Blocks]

# SHA-256 of the IDX files as decompressed: publishers compress them differently.
FASHION_MNIST = {
    ("train", "images"): "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ("train", "labels"): "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ("test", "images"): "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ("test", "labels"): "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


@dataclass(frozen=True)
class Request:
    """What a source is asked for.

    Attributes:
        options: the dataset's entry in the parameter file, without ``source`` and sizes.
        cache: the folder for downloads.
        local: folders that may hold the dataset, looked through in order.
    """

    options: Mapping[str, Any]
    cache: Path
    local: Sequence[Path]

    @property
    def size(self) -> int | None:
        """The (size, size) to scale and crop to, if any."""
        return self.options.get("size")

    def candidates(self, *names: str) -> list[Path]:
        """Option ``path`` itself and ``names`` inside each local folder, as far as they exist."""
        given = [Path(self.options["path"])] if self.options.get("path") else []
        inside = [base / name for base in [*given, *self.local] for name in names]
        return [path for path in [*given, *inside] if path.exists()]


@dataclass(frozen=True)
class Source:
    """A source's opener and the options it knows."""

    open: Callable[[Request], Splits]
    options: frozenset[str]


def local_folders() -> list[Path]:
    """The folders that ``DATADEED_DATA`` names, separated as in ``PATH``."""
    return [Path(part) for part in os.environ.get(LOCAL, "").split(os.pathsep) if part]


def open_splits(
    source: str,
    *,
    options: Mapping[str, Any],
    cache: Path,
    local: Sequence[Path] | None = None,
) -> Splits:
    """Find a dataset and open its splits; blocks are decoded as they are asked for.

    Args:
        source: a name in :data:`SOURCES`.
        options: ``path`` and ``size`` for every source; ``classes`` for ``imagenet-subset``;
            ``format``, ``train`` and ``test`` (the splits' names there) for ``folder``.
        cache: the folder for downloads.
        local: folders to look in first; those of ``DATADEED_DATA`` by default.

    Returns:
        ``train`` and ``test``, each an iterator of dataset blocks that knows its ``rows``.

    Raises:
        ParameterError: the source or an option is unknown, or an option makes no sense.
        FetchError: no place had the dataset; the line names each and why.
        DatasetError: the data found cannot be used, or its splits do not fit each other.
    """
    if source not in SOURCES:
        raise ParameterError(f"there is no source {source!r}: name one of {', '.join(SOURCES)}")
    known = SOURCES[source].options
    if unknown := sorted(set(options) - known):
        raise ParameterError(
            f"source {source!r} has no option {unknown[0]!r}: it knows {', '.join(sorted(known))}"
        )
    size = options.get("size")
    if size is not None and (not isinstance(size, int) or not 0 < size <= 4096):
        raise ParameterError(f"option 'size' is {size!r}: give a whole number from 1 to 4096")
    places = local_folders() if local is None else local
    return _fitting(SOURCES[source].open(Request(options, cache, places)), source)


def _fitting(splits: Splits, source: str) -> Splits:
    """The same splits, with shape and classes compared on each one's first block."""
    heads = {name: first_block(blocks, f"{source} ({name})") for name, blocks in splits.items()}
    train, test = heads["train"], heads["test"]
    if train.classes != test.classes:
        raise DatasetError(
            f"{source} has {len(train.classes)} classes for training but {len(test.classes)} for "
            "testing, or in another order: give both splits the same classes"
        )
    if train.shape != test.shape:
        raise DatasetError(
            f"{source} has training images of {train.shape} but test images of {test.shape}: give "
            "'size', or make them all grey or all colour"
        )
    return {
        name: Blocks(blocks.rows, itertools.chain([heads[name]], blocks))
        for name, blocks in splits.items()
    }


Place = tuple[str, Callable[[], Splits]]


def _first(title: str, places: Sequence[Place]) -> Splits:
    """The splits from the first place that has them."""
    failures = [] if places else ["local folders (none holds it)"]
    for name, attempt in places:
        try:
            return attempt()
        except (DatadeedError, OSError) as error:
            failures.append(f"{name} ({str(error)[:200]})")
    raise FetchError(
        f"{title} was not found; tried: {'; '.join(failures)}; put it in a folder and name that in "
        f"{LOCAL} or as option 'path'"
    )


def _both(path: Path, request: Request, **options: Any) -> Splits:
    return {
        name: formats.chunks(path, split=name, size=request.size, **options)
        for name in ("train", "test")
    }


def _fashion_mnist(request: Request) -> Splits:
    cached = request.cache / "fashion-mnist"
    found = request.candidates("fashion-mnist", "FashionMNIST/raw")
    found += [path / "FashionMNIST" / "raw" for path in found]
    local = [path for path in [*found, cached] if _holds_any(path)]
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
    return _first("fashion-mnist", places)


def _holds_any(path: Path) -> bool:
    return path.exists() and any(module.matches(path) for module in formats.FORMATS.values())


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
    local = [path for path in [*request.candidates(*names), cached] if _holds_any(path)]
    places: list[Place] = [(str(path), functools.partial(_both, path, request)) for path in local]

    def from_torchvision() -> Splits:
        from torchvision.datasets import CIFAR10

        archive = request.cache / CIFAR10.filename
        download(CIFAR10.url, archive, md5=CIFAR10.tgz_md5)
        archives.extract(archive, cached)
        return _both(cached, request)

    return _first("cifar10", [*places, ("torchvision's address", from_torchvision)])


def _imagenet_subset(request: Request) -> Splits:
    wanted = _wanted_classes(request.options.get("classes"))
    found = request.candidates("imagenet", "ILSVRC/Data/CLS-LOC", "tiny-imagenet-50")
    places: list[Place] = [
        (str(path), functools.partial(_imagenet, path, request, wanted))
        for path in found
        if _holds_any(path)
    ]
    return _first("imagenet-subset", places)


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
    splits = _both(path, request, format="huggingface")
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


def _folder(request: Request) -> Splits:
    if not request.options.get("path"):
        raise ParameterError("source 'folder' needs option 'path': name the data's file or folder")
    path, form = Path(request.options["path"]), request.options.get("format")
    return {
        name: formats.chunks(
            path, format=form, split=request.options.get(name, name), size=request.size
        )
        for name in ("train", "test")
    }


_COMMON = frozenset({"path", "size"})
SOURCES: dict[str, Source] = {
    "fashion-mnist": Source(_fashion_mnist, _COMMON),
    "cifar10": Source(_cifar10, _COMMON),
    "imagenet-subset": Source(_imagenet_subset, _COMMON | {"classes"}),
    "folder": Source(_folder, _COMMON | {"format", "train", "test"}),
}
