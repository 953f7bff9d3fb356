"""Image files to arrays and back: one place that knows Pillow's modes, limits and errors."""

import contextlib
import io
import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import rows_per_group
from datadeed.datasets.formats import png
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.damaged import all_named
from datadeed.datasets.formats.split import Row, Split
from datadeed.errors import DatasetError, reason

if TYPE_CHECKING:
    from datadeed.datasets.formats.npz_images import DiskImages

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".bmp", ".gif", ".webp", ".ppm", ".pgm"),
    *(".tif", ".tiff"),
)
PIXEL_LIMIT = 2**26  # above ImageNet's largest picture (61 million); a bomb declares far more
_GREY = frozenset({"1", "L", "LA"})
_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_BROKEN = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def _open(name: str, source: bytes | Path) -> Image.Image:
    """Read an image's header; pixels stay undecoded."""
    image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    if image.width * image.height > PIXEL_LIMIT:
        raise DatasetError(
            f"{name} declares {image.width} x {image.height} pixels, more than the limit of "
            f"{PIXEL_LIMIT}: remove it or scale it down"
        )
    if image.mode in _DEEP:
        raise DatasetError(f"{name} has more than 8 bits a channel: convert it to 8 bits")
    return image


@contextlib.contextmanager
def opened(name: str, source: bytes | Path) -> Iterator[Image.Image]:
    """An image whose header is read; what Pillow finds wrong with it becomes one line.

    Raises:
        DatasetError: it is no image, has more than 8 bits a channel, or too many pixels.
    """
    try:
        with _open(name, source) as image:
            yield image
    except _BROKEN as error:
        raise _unreadable(name, error) from error


def is_colour(name: str, source: bytes | Path) -> bool:
    """Whether an image is colour; only its header is read.

    Raises:
        DatasetError: it is no image, has more than 8 bits a channel, or too many pixels.
    """
    with opened(name, source) as image:
        return image.mode not in _GREY


def decode(name: str, source: bytes | Path, *, channels: int, size: int | None) -> np.ndarray:
    """An image as (H, W, C) uint8 with 1 or 3 channels; transparency is dropped.

    Args:
        name: for messages.
        source: the file's bytes or path.
        channels: 1 for grey, 3 for RGB.
        size: if given, the centre square is scaled to (size, size), bicubic with antialiasing.

    Raises:
        DatasetError: it is no image, has more than 8 bits a channel, or too many pixels.
    """
    with opened(name, source) as image:
        plain = image.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(fit(plain, size))
    return pixels[:, :, None] if channels == 1 else pixels


def fault(name: str, source: bytes | Path) -> DatasetError | None:
    """What is wrong with an image, which is decoded for it; None if nothing is."""
    try:
        decode_whole(name, source, channels=3)
    except DatasetError as error:
        return error
    return None


def decode_whole(name: str, source: bytes | Path, *, channels: int) -> np.ndarray:
    """As :func:`decode`, of an image that is to be written again.

    Raises:
        DatasetError: see :func:`decode`; or it is a PNG without its end, which a decoder does not
            mind.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    pixels = decode(name, data, channels=channels, size=None)
    if png.is_cut(data):
        raise DatasetError(f"{name} is not a whole image (a PNG without its end): replace it")
    return pixels


def _unreadable(name: str, error: Exception) -> DatasetError:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return DatasetError(
            f"{name} declares more pixels than the limit of {PIXEL_LIMIT}: remove it or scale it "
            "down"
        )
    return DatasetError(f"{name} is not a whole image ({reason(error)}): remove or replace it")


def fit(image: Image.Image, size: int | None) -> Image.Image:
    """Scale the shorter side to ``size`` and cut out the centre, in one resampling.

    Only the centre square is resampled, so an extremely long image costs no more than others.
    """
    if size is None or image.size == (size, size):
        return image
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def channels_of(split: Split) -> int:
    """3 if any image of a split is colour, else 1; or the channels of its array."""
    if split.pixels is not None:
        return int(split.pixels.shape[3])
    return 3 if any(is_colour(name, source) for name, source in split.stream()) else 1


def blocks(split: Split, *, size: int | None = None) -> Blocks:
    """A split of images in blocks of about 16 MiB; if any is colour, all are read as RGB.

    Args:
        split: the images.
        size: scale the shorter side and cut out the centre, to (size, size); without it all images
            must have one size.
    """
    if split.pixels is None:
        with _all_named(split):
            channels = channels_of(split)
        return file_blocks(split, channels=channels, size=size)
    columns = (split.labels, split.index, split.classes)
    return Blocks(len(split), array_blocks(split.pixels, *columns, size=size))


def file_blocks(split: Split, *, channels: int, size: int | None) -> Blocks:
    """A split of image files in blocks with this many channels, decoded on all cores.

    Raises:
        DatasetError: an image is unreadable, or of another size than the first; the line names it.
    """
    return Blocks(len(split), _file_blocks(split, channels, size))


def _file_blocks(split: Split, channels: int, size: int | None) -> Iterator[Dataset]:
    def decoded(row: Row) -> np.ndarray:
        return decode(row[0], row[1], channels=channels, size=size)

    def all_decoded(batch: list[Row], run: Any) -> Iterator[np.ndarray]:
        with _all_named(split):
            yield from run(decoded, batch)

    rows = split.rows()
    first = next(rows)
    (pixels,) = all_decoded([first], map)
    shape = pixels.shape
    rows = itertools.chain([first], rows)
    count = rows_per_group((shape[2], shape[0], shape[1]))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        # Small files cost more to hand to a thread than to decode (CIFAR: half the speed).
        run: Any = map if _bytes_in(first[1]) < 2**13 else pool.map
        while batch := list(itertools.islice(rows, count)):
            samples = np.empty((len(batch), *shape), dtype=np.uint8)
            for number, (row, pixels) in enumerate(
                zip(batch, all_decoded(batch, run), strict=True)
            ):
                if pixels.shape != shape:
                    raise _odd_size(row[0], pixels.shape, first[0], shape)
                samples[number] = pixels
            labels, index = torch.tensor([row[2:] for row in batch]).T.contiguous()
            images = torch.from_numpy(samples).permute(0, 3, 1, 2)
            yield Dataset(images, labels, index, split.classes)


def _all_named(split: Split) -> contextlib.AbstractContextManager[None]:
    return all_named("images", split.stream, fault, lambda: split.instead)


def _bytes_in(source: bytes | Path) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _odd_size(name: str, odd: tuple[int, ...], first: str, shape: tuple[int, ...]) -> Exception:
    return DatasetError(
        f"{name} is {odd[1]} x {odd[0]} pixels, but {first} is {shape[1]} x {shape[0]}: "
        "give 'size' to scale and crop every image to one size"
    )


def array_blocks(
    pixels: "np.ndarray | DiskImages",
    labels: np.ndarray,
    index: np.ndarray,
    classes: tuple[str, ...],
    *,
    size: int | None,
) -> Iterator[Dataset]:
    """Cut (N, H, W, C) uint8 pixels and (N,) columns into blocks, scaled if ``size`` is given."""
    height, width, channels = pixels.shape[1:]
    target = (channels, size or height, size or width)
    rows = rows_per_group(target)
    for start in range(0, len(pixels), rows):
        part = slice(start, start + rows)
        block = np.array(pixels[part])  # ours: the source may be read-only
        if target[1:] != (height, width):
            block = np.stack([_fit_array(image, size) for image in block])
        yield Dataset(
            torch.from_numpy(block).permute(0, 3, 1, 2),
            torch.from_numpy(labels[part].astype(np.int64)),
            torch.from_numpy(index[part].astype(np.int64)),
            classes,
        )


def _fit_array(image: np.ndarray, size: int | None) -> np.ndarray:
    # Channel by channel, so that any number of channels will do.
    planes = [np.asarray(fit(Image.fromarray(plane), size)) for plane in np.moveaxis(image, 2, 0)]
    return np.stack(planes, axis=2)
