"""Image files with other pixels, in the format, mode and metadata of the file they replace."""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from datadeed.datasets.formats.damaged import besides
from datadeed.datasets.formats.images import decode, fault, opened
from datadeed.errors import DatasetError
from datadeed.owner.release import jpeg, png

LOSSLESS = frozenset({"PNG", "BMP", "PPM", "TIFF", "WEBP"})
_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
_JPEG = frozenset({"JPEG", "MPO"})  # MPO: several pictures, of which the first is read
_SHOWN = 5
_TURNED = range(2, 9)  # EXIF orientations other than upright
_TIFF = frozenset({"raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate"})


class Redrawn(NamedTuple):
    """An image file with other pixels.

    Attributes:
        data: the file.
        format: Pillow's name of the format.
        mode, new_mode: Pillow's mode of the old and of the new file; they differ where the old
            one cannot hold the pixels.
        same_form: whether the file's headers give away nothing.
    """

    data: bytes
    format: str
    mode: str
    new_mode: str
    same_form: bool


def redraw(name: str, data: bytes, pixels: np.ndarray) -> Redrawn:
    """An image file with ``pixels`` in place of its own.

    PNG, BMP, PPM, lossless TIFF and lossless WebP hold them exactly; JPEG only nearly.
    Transparency and metadata are kept.

    Args:
        name: for messages.
        data: the file.
        pixels: (H, W, C) uint8 of the same size, C = 1 or 3.

    Raises:
        DatasetError: the file is of another format, lossy WebP or TIFF, animated, of more than 8
            bits, or damaged.
    """
    with opened(name, data) as image:
        _check(name, image, data)
        new = _with_pixels(name, image, pixels)
        if image.format == "JPEG":
            written, same_form = jpeg.encode(new, image, data)
        else:
            written, same_form = _encode(new, image, data), new.mode == image.mode
        result = Redrawn(written, str(image.format), image.mode, new.mode, same_form)
    if result.format in LOSSLESS:
        seen = decode(name, written, channels=pixels.shape[2], size=None)
        if not np.array_equal(seen, pixels):
            raise DatasetError(f"{name} cannot hold its new pixels exactly: convert it to PNG")
    return result


def recode(name: str, data: bytes, formats: Set[str], wider: Mapping[str, str]) -> bytes:
    """The same pixels from our own encoder.

    Args:
        name: for messages.
        data: the file.
        formats: lossless formats; files of others stay as they are.
        wider: modes to write in another mode, as ``P`` in ``RGB``.

    Raises:
        DatasetError: the file is animated or damaged.
    """
    with opened(name, data) as image:
        if image.format not in formats:
            return data
        _check(name, image, data)
        mode = wider.get(image.mode, image.mode)
        clear = "transparency" in image.info and mode != image.mode
        new = image.convert({"L": "LA", "RGB": "RGBA"}.get(mode, mode) if clear else mode)
        written = _encode(new, image, data)
    return written


def settle(name: str, data: bytes) -> bytes:
    """A JPEG encoded again until that changes nothing (:func:`jpeg.settled`); others as they are.

    Raises:
        DatasetError: the file is damaged.
    """
    with opened(name, data) as image:
        return jpeg.settled(jpeg.first_picture(data)) if image.format in _JPEG else data


def single(name: str, data: bytes) -> bytes:
    """An image file with its first picture alone, if it is JPEG with several; others as they are.

    Raises:
        DatasetError: a file of several pictures is damaged.
    """
    if jpeg.SEVERAL not in data:
        return data
    with opened(name, data) as image:
        return jpeg.first_picture(data) if image.format == "MPO" else data


def format_of(name: str, data: bytes) -> str:
    """Pillow's name of the format of an image file."""
    with opened(name, data) as image:
        return str(image.format)


def check_writable(files: Callable[[], Iterable[tuple[str, bytes | Path]]]) -> int:
    """Check that every image of a split could be written again, whichever are marked.

    Args:
        files: gives each row's name for messages, and its file.

    Returns:
        How many carry an EXIF orientation that is not upright.

    Raises:
        DatasetError: some could not; the line counts them, names the first few and all damaged
            ones. Where only these are in the way they pass: they are named where rows are read.
    """
    what, turned = _unwritable(files())
    if what:
        raise DatasetError(what + besides("images", files, fault))
    return turned


def also_unwritable(files: Iterable[tuple[str, Any]]) -> str:
    """The images that cannot be written again, as the end of a line about damaged ones.

    Args:
        files: as of :func:`check_writable`; rows that are no files pass.
    """
    stored = ((name, one) for name, one in files if isinstance(one, bytes | Path))
    what, _ = _unwritable(stored)
    return f"; besides, if these are to be marked: {what}" if what else ""


def _unwritable(files: Iterable[tuple[str, bytes | Path]]) -> tuple[str, int]:
    """What is said of images that cannot be written again, damaged ones aside; how many lie."""
    found: list[str] = []
    rows = turned = 0
    for name, source in files:
        rows += 1
        with contextlib.suppress(DatasetError), opened(name, source) as image:
            what = next(_faults(image, source), "")
            if what not in ("", png.NOT_WHOLE):
                found.append(f"{name} {what}")
            turned += _orientation(image) in _TURNED
    if not found:
        return "", turned
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"{len(found)} of {rows} images cannot be written again unseen: "
        f"{', '.join(found[:_SHOWN])}{more}; convert them to PNG or JPEG, or leave them out"
    ), turned


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none, and of TIFF, which Pillow itself turns."""
    if image.format == "TIFF" or "exif" not in image.info:  # without it a PNG would be decoded
        return 1
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if isinstance(found, int) else 1


def _check(name: str, image: Image.Image, data: bytes) -> None:
    if what := next(_faults(image, data), ""):
        raise DatasetError(
            f"{name} {what}, which cannot be written again unseen: convert the dataset to PNG "
            "or JPEG"
        )


def _faults(image: Image.Image, source: bytes | Path) -> Iterator[str]:
    """What keeps an image file from being written again."""
    form = str(image.format)
    if form not in LOSSLESS | _JPEG:
        yield f"is {form}"
    if form == "WEBP" and not _is_lossless_webp(_bytes(source)):
        yield "is lossy WEBP"
    if form == "TIFF" and image.info.get("compression", "raw") not in _TIFF:
        yield "is lossy TIFF"
    if form != "MPO" and getattr(image, "n_frames", 1) > 1:
        yield "has several frames"
    if form == "PNG" and (what := png.fault(_bytes(source))):
        yield what
    if image.mode not in _MODES and (image.mode, form in _JPEG) != ("CMYK", True):
        yield f"has the unusual mode {image.mode}"


def _bytes(source: bytes | Path) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _is_lossless_webp(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data) and data[at : at + 4] not in (b"VP8 ", b"VP8L"):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return data[at : at + 4] == b"VP8L"


def _encode(new: Image.Image, original: Image.Image, data: bytes) -> bytes:
    """A lossless file, with the metadata of the original."""
    if original.format == "PNG":
        return png.encode(new, data)
    options: dict[str, Any] = {}
    if original.format == "TIFF":
        original.load()  # turns the image upright, and removes the tag
        tags: Any = getattr(original, "tag_v2", {})
        for side in (TiffImagePlugin.IMAGEWIDTH, TiffImagePlugin.IMAGELENGTH):
            tags.pop(side, None)  # of the image as it was stored
        options = {"tiffinfo": tags, "compression": original.info.get("compression")}
    elif original.format == "WEBP":
        options = {"lossless": True, "exact": True}
    known = ("icc_profile", "exif", "xmp", "dpi")
    options |= {key: original.info[key] for key in known if key in original.info}
    stream = io.BytesIO()
    new.save(stream, original.format, **options)
    return stream.getvalue()


def _with_pixels(name: str, image: Image.Image, pixels: np.ndarray) -> Image.Image:
    """A new image of the same mode, or of the next that can hold the pixels."""
    grey = pixels.shape[2] == 1 or bool((pixels == pixels[:, :, :1]).all())
    plain = Image.fromarray(pixels[:, :, 0] if grey else np.ascontiguousarray(pixels))
    colour = plain.convert("RGB")
    if image.mode == "P":
        indices = _palette_indices(image, pixels)
        if indices is not None:
            new = Image.frombytes("P", image.size, indices.tobytes())
            new.putpalette(image.getpalette("RGB") or [])
            return new
    if image.mode in ("LA", "RGBA") or (image.mode == "P" and "transparency" in image.info):
        new = plain.convert("LA") if grey and image.mode == "LA" else colour.convert("RGBA")
        new.putalpha(image.convert("RGBA").getchannel("A"))
        return new
    if image.mode == "1" and grey and bool(np.isin(pixels, (0, 255)).all()):
        return plain.convert("1", dither=Image.Dither.NONE)
    if image.mode in ("1", "L"):
        return plain
    if image.mode in ("RGB", "P"):
        return colour
    if image.mode == "CMYK" and image.format == "JPEG":
        return colour.convert("CMYK")
    raise DatasetError(f"{name} has the unusual mode {image.mode}: convert it to RGB")


def _palette_indices(image: Image.Image, pixels: np.ndarray) -> np.ndarray | None:
    """(H, W) uint8 palette numbers that show ``pixels``, or None if a colour is missing.

    Pixels that keep their colour keep their number: a palette may hold one colour twice.
    """
    indices = np.array(image)
    palette = np.zeros((256, 3), dtype=np.uint8)
    colours = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    palette[: len(colours)] = colours
    number = {tuple(colour): index for index, colour in enumerate(colours.tolist())}
    for row, column in np.argwhere((palette[indices] != pixels).any(axis=2)):
        found = number.get(tuple(pixels[row, column].tolist()))
        if found is None:
            return None
        indices[row, column] = found
    return indices
