import hashlib

import numpy as np
import pytest
from PIL import Image

from datadeed.datasets.download import LOCAL
from datadeed.datasets.formats import idx
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.sources import cifar10, fashion_mnist
from datadeed.datasets.sources.registry import open_splits
from datadeed.errors import DatasetError, FetchError, ParameterError
from tests.datasets.sources.source_toys import TEN, opened, publish, same, toy


@pytest.fixture
def offline(monkeypatch):
    """No address can be reached; the tries are kept."""
    tried = []

    def refuse(what, *_, **__):
        tried.append(what)
        raise FetchError(f"{what[:60]} cannot be reached (offline)")

    for module in (fashion_mnist, cifar10):
        monkeypatch.setattr(module, "download", refuse)
    monkeypatch.setattr(fashion_mnist, "debian_package", refuse)
    return tried


@pytest.fixture
def published(monkeypatch):
    """The toy dataset takes the place of the published one."""
    made = [toy(20, (1, 28, 28), TEN, 1), toy(10, (1, 28, 28), TEN, 2)]
    for name, data in zip(("train", "test"), made, strict=True):
        for kind, array in (("images", data.samples[:, 0]), ("labels", data.labels)):
            digest = hashlib.sha256(idx.encode(array.numpy().astype(np.uint8))).hexdigest()
            monkeypatch.setitem(fashion_mnist.DIGESTS, (name, kind), digest)
    return made


@pytest.mark.parametrize("form", ["idx", "huggingface"])
@pytest.mark.parametrize("place", ["fashion-mnist", "FashionMNIST/raw"])
def test_fashion_mnist_from_a_local_folder(tmp_path, offline, published, form, place):
    publish(tmp_path / "local" / place, form, (1, 28, 28))
    read = opened("fashion-mnist", tmp_path, tmp_path / "absent", tmp_path / "local")
    assert same(read, published)
    assert read[0].classes[0] == "T-shirt/top"
    read = opened("fashion-mnist", tmp_path, path=str(tmp_path / "local" / place), size=14)
    assert read[1].shape == (1, 14, 14)
    assert offline == []


def test_other_bytes_are_not_fashion_mnist(tmp_path, offline):
    publish(tmp_path / "fashion-mnist", "idx", (1, 28, 28))
    with pytest.raises(FetchError, match="other train images than were published") as caught:
        opened("fashion-mnist", tmp_path, tmp_path)
    line = str(caught.value)
    assert "\n" not in line
    for place in (str(tmp_path), "torchvision's address", "Debian's package", "DATADEED_DATA"):
        assert place in line
    assert len(offline) == 2


def test_fashion_mnist_from_the_package_is_kept(tmp_path, monkeypatch, published, offline):
    def unpack(name, folder):
        assert name == "dataset-fashion-mnist"
        publish(folder / "usr" / "share" / "datasets" / "x", "idx", (1, 28, 28))

    monkeypatch.setattr(fashion_mnist, "debian_package", unpack)
    assert same(opened("fashion-mnist", tmp_path), published)
    assert len(offline) == 1
    assert same(opened("fashion-mnist", tmp_path), published)  # from the cache now
    assert len(offline) == 1


def test_fashion_mnist_from_torchvisions_address(tmp_path, monkeypatch, published):
    publish(tmp_path / "server", "idx", (1, 28, 28))

    def fetch(url, path, *, md5):
        assert url.startswith("http")
        assert len(md5) == 32
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tmp_path / "server" / path.name).read_bytes())

    monkeypatch.setattr(fashion_mnist, "download", fetch)
    assert same(opened("fashion-mnist", tmp_path), published)


@pytest.mark.parametrize("form", ["huggingface", "cifar_pickle"])
@pytest.mark.parametrize("place", ["cifar10", "cifar-10-batches-py"])
def test_cifar10_from_a_local_folder(tmp_path, monkeypatch, offline, form, place):
    made = publish(tmp_path / place, form)
    monkeypatch.setenv(LOCAL, f"/nowhere:{tmp_path}")
    splits = open_splits("cifar10", options={}, cache=tmp_path / "cache")
    assert same([formats.collect(blocks, "x") for blocks in splits.values()], made)
    assert offline == []


def test_cifar10_from_torchvisions_archive(tmp_path, monkeypatch):
    import tarfile

    made = publish(tmp_path / "cifar-10-batches-py", "cifar_pickle")

    def fetch(url, path, *, md5):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz") as file:
            file.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")

    monkeypatch.setattr(cifar10, "download", fetch)
    assert same(opened("cifar10", tmp_path), made)
    monkeypatch.setattr(cifar10, "download", lambda *_, **__: pytest.fail("it was in the cache"))
    assert same(opened("cifar10", tmp_path), made)


def imagenet(root, names="dbca"):
    """Images of mixed sizes, one grey, and a test folder without labels."""
    for split in ("train", "val"):
        for number, name in enumerate(names):
            folder = root / split / f"n0{name}"
            folder.mkdir(parents=True)
            pixels = np.full((20 + number, 30, 3), ord(name), np.uint8)
            Image.fromarray(pixels[..., 0] if name == "b" else pixels).save(folder / "x.JPEG")
    (root / "test").mkdir()


def test_imagenet_subset(tmp_path):
    imagenet(tmp_path / "imagenet")
    (tmp_path / "ids.txt").write_text("n0c cat, felis\n\nn0a\n")
    for classes, expected in (
        (None, ["n0a", "n0b", "n0c", "n0d"]),
        (2, ["n0a", "n0b"]),
        (["n0d", "n0a"], ["n0d", "n0a"]),
        (str(tmp_path / "ids.txt"), ["n0c", "n0a"]),
    ):
        options = {} if classes is None else {"classes": classes}
        train, test = opened("imagenet-subset", tmp_path, tmp_path, size=8, **options)
        assert train.classes == test.classes == tuple(expected)
        assert train.shape == (3, 8, 8)
        values = train.samples.float().mean((1, 2, 3)).round().int().tolist()
        assert values == [ord(name[-1]) for name in expected]
    with pytest.raises(DatasetError, match="'size'"):
        opened("imagenet-subset", tmp_path, path=str(tmp_path / "imagenet"))
    with pytest.raises(FetchError, match="'n0z'"):
        opened("imagenet-subset", tmp_path, tmp_path, classes=["n0a", "n0z"])


def test_tiny_imagenet_parquet(tmp_path):
    made = publish(tmp_path / "tiny-imagenet-50", "huggingface")
    assert same(opened("imagenet-subset", tmp_path, tmp_path), made)
    splits = open_splits(
        "imagenet-subset", options={"classes": ["7", "2"]}, cache=tmp_path, local=[tmp_path]
    )
    train = formats.collect(splits["train"], "x")
    assert train.classes == ("7", "2")
    assert train.labels.tolist() == [1, 0, 1, 0]
    assert train.index.tolist() == [2, 7, 12, 17]


@pytest.mark.parametrize("classes", [1, 0, [], ["a"], ["a", "a"], {"a": 1}, "/nowhere/ids.txt"])
def test_classes_that_make_no_sense(tmp_path, classes):
    with pytest.raises(ParameterError, match="option 'classes'"):
        opened("imagenet-subset", tmp_path, classes=classes)


@pytest.mark.parametrize(
    "inside", ["caltech-256/256_ObjectCategories", "256_ObjectCategories", "caltech-256"]
)
def test_caltech_tests_on_every_fifth_image_of_a_class(tmp_path, inside):
    for name, count in (("001.ak47", 11), ("002.american-flag", 5)):
        folder = tmp_path / inside / name
        folder.mkdir(parents=True)
        for number in range(1, count + 1):
            shade = np.full((20 + number, 30), number, np.uint8)
            Image.fromarray(shade).save(folder / f"{name[:3]}_{number:04d}.jpg", quality=100)
    train, test = opened("caltech-256", tmp_path, tmp_path, size=8)
    assert train.classes == ("001.ak47", "002.american-flag")
    assert train.shape == (3, 8, 8)
    assert test.samples[:, 0, 0, 0].tolist() == [5, 10, 5]
    assert (len(train), len(set(train.index.tolist() + test.index.tolist()))) == (13, 16)
    with pytest.raises(DatasetError, match="'size'"):
        opened("caltech-256", tmp_path, path=str(tmp_path / inside))


def test_a_source_found_nowhere_is_one_line(tmp_path, offline):
    for source in ("fashion-mnist", "cifar10", "imagenet-subset", "caltech-256"):
        with pytest.raises(FetchError, match=f"{source} was not found; tried: ") as caught:
            opened(source, tmp_path, tmp_path)
        assert "\n" not in str(caught.value)
