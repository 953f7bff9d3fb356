"""Fashion-MNIST: grey images of ten classes, compared with the published to the last bit."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from datadeed.datasets.download import debian_package, download
from datadeed.datasets.formats import idx
from datadeed.datasets.formats.blocks import Blocks, collect
from datadeed.datasets.formats.images import array_blocks
from datadeed.datasets.places import COMMON, Request, Splits, both, first, local_places
from datadeed.errors import DatadeedError, DatasetError, FetchError
from datadeed.files import atomic_folder

OPTIONS = COMMON
# SHA-256 of the IDX files as decompressed: publishers compress them differently.
DIGESTS = {
    ("train", "images"): "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ("train", "labels"): "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ("test", "images"): "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ("test", "labels"): "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def open_source(request: Request) -> Splits:
    """Both splits."""
    cached = request.cache / "fashion-mnist"
    found = request.candidates("fashion-mnist", "FashionMNIST/raw")
    found += [path / "FashionMNIST" / "raw" for path in found]
    existing = [path for path in [*found, cached] if path.exists()]
    places = local_places(existing, lambda path: _checked(path, request), idx)

    def from_torchvision() -> Splits:
        from torchvision.datasets import FashionMNIST

        failure: DatadeedError = FetchError("no address is published")
        for mirror in FashionMNIST.mirrors:
            try:
                for file, md5 in FashionMNIST.resources:
                    download(mirror + file, cached / file, md5=md5)
                return _checked(cached, request)
            except FetchError as error:
                failure = error
        raise failure

    def from_debian() -> Splits:
        with tempfile.TemporaryDirectory(prefix="datadeed-") as temporary:
            debian_package("dataset-fashion-mnist", Path(temporary))
            files = list(Path(temporary).glob("usr/share/**/*-ubyte.gz"))
            with atomic_folder(cached, keep=True) as folder:
                for file in files:
                    (folder / file.name).unlink(missing_ok=True)
                    shutil.copyfile(file, folder / file.name)
        return _checked(cached, request)

    places += [
        ("torchvision's address", from_torchvision),
        ("Debian's package", from_debian),
    ]
    return first("fashion-mnist", places)


def _checked(path: Path, request: Request) -> Splits:
    """Both splits, compared with the published data, with the classes' names."""
    from torchvision.datasets import FashionMNIST

    splits: Splits = {}
    for name, found in both(path, idx).items():
        data = collect(found, path)
        pixels = data.samples[:, 0].numpy()
        for kind, array in (("images", pixels), ("labels", data.labels.numpy())):
            if hashlib.sha256(idx.encode(array)).hexdigest() != DIGESTS[name, kind]:
                raise DatasetError(f"{path} holds other {name} {kind} than were published")
        columns = (data.labels.numpy(), data.index.numpy(), tuple(FashionMNIST.classes))
        blocks = array_blocks(pixels[..., None], *columns, size=request.size)
        splits[name] = Blocks(len(data), blocks)
    return splits
