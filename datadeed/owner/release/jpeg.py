"""JPEG files with other pixels: same tables, sampling and metadata as the file before."""

import io
from typing import Any

from PIL import Image, JpegImagePlugin

SEVERAL = b"MPF\0"  # in a JPEG that lists its pictures
_SOS, _DHT, _DRI, _COMMENT = 0xDA, 0xC4, 0xDD, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_EOI, _RESTARTS = 0xD9, range(0xD0, 0xD8)
_PASSES = 12  # at most, until another one changes nothing


def encode(image: Image.Image, original: Image.Image, data: bytes) -> tuple[bytes, bool]:
    """``image`` as a JPEG in the form of the file it replaces.

    Quantisation tables, chroma sampling, progressive or not, restart intervals, optimised or
    standard Huffman tables, and every application and comment segment (EXIF, ICC profile, XMP)
    are kept. What stays visible to a forensic eye: the blocks were quantised twice with the same
    tables, and an encoder other than libjpeg leaves other roundings.

    Args:
        image: the new pixels; modes L, RGB or CMYK.
        original: the file's image.
        data: the file.

    Returns:
        The new file, and whether its headers say what those of the old one did.
    """
    form = _Form(original, data)
    return form.finished(image, form.saved(image))


def settled(data: bytes) -> bytes:
    """A JPEG decoded and encoded again, in its own form, until that changes nothing more.

    What was encoded once and what was encoded twice can be told apart by what another time changes.
    Files that have all been brought to rest cannot. The pixels change a little.

    Args:
        data: the file.
    """
    with Image.open(io.BytesIO(data)) as original:
        original.load()
        image: Image.Image = original
        form = _Form(original, data)
        written, pixels = form.saved(image), image.tobytes()
        for _ in range(_PASSES):
            image, before = _loaded(written), pixels
            if (pixels := image.tobytes()) == before:
                break
            written = form.saved(image)
        return form.finished(image, written)[0]


class _Form:
    """The form of a file, for other pixels.

    Args:
        original: the file's image.
        data: the file.
    """

    def __init__(self, original: Image.Image, data: bytes):
        self._old, _ = _segments(data)
        self._tables = _tables(self._old)
        self._options = _options(original, self._old)

    def saved(self, image: Image.Image) -> bytes:
        """The pixels as they will be, with the encoder's own metadata and Huffman tables."""
        return _save(image, self._options)

    def finished(self, image: Image.Image, new: bytes) -> tuple[bytes, bool]:
        """The file that :func:`encode` gives, from what :meth:`saved` made of ``image``."""
        segments, scan = _segments(new)
        if not self._options["progressive"] and _tables(segments) != self._tables:
            new = _save(image, self._options | {"optimize": True})
            segments, scan = _segments(new)
        coding = [one for one in segments if not _is_metadata(one[0])]
        kept = [one for one in self._old if _is_metadata(one[0])] + coding
        grafted = b"\xff\xd8" + b"".join(body for _, body in kept) + new[scan:]
        if _colours(kept) != _colours(segments) and not _same_pixels(grafted, new):
            # A colour transform that the old headers do not announce.
            return new, False
        form = [body for marker, body in self._old if marker != _DHT]
        return grafted, form == [body for marker, body in kept if marker != _DHT]


def first_picture(data: bytes) -> bytes:
    """The first picture of a JPEG that holds several (CIPA DC-007, "MPO"); others as they are.

    Its segments and scans stay; the index of pictures, and the others, do not.

    Raises:
        ValueError: it has no scan, or a scan that does not end.
    """
    segments, scan = _segments(data)
    kept = [body for marker, body in segments if not _lists_pictures(marker, body)]
    if len(kept) == len(segments):
        return data
    return b"\xff\xd8" + b"".join(kept) + data[scan : _end(data, scan)]


def _lists_pictures(marker: int, body: bytes) -> bool:
    return marker == _APPLICATION[2] and body[4:8] == SEVERAL


def _end(data: bytes, at: int) -> int:
    """Where a picture ends, of which a scan starts at ``at``."""
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        marker = data[at + 1]
        if marker == _EOI:
            return at + 2
        if marker == 0xFF:
            at += 1
        elif marker == 0 or marker in _RESTARTS:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ValueError("its first picture does not end")


def _loaded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def _options(original: Image.Image, segments: list[tuple[int, bytes]]) -> dict[str, Any]:
    """Pillow's encoder settings that give the original's form."""
    restart = next((body for marker, body in segments if marker == _DRI), b"")
    layers: Any = getattr(original, "layer", ())
    # Without JFIF's or Adobe's word on it, libjpeg takes components named R, G, B for RGB.
    named = [layer[0] for layer in layers] == list(b"RGB") and "adobe" not in original.info
    plain = original.info.get("adobe_transform") == 0 or named
    return {
        "qtables": getattr(original, "quantization", None),
        "subsampling": JpegImagePlugin.get_sampling(original),
        "progressive": "progressive" in original.info,
        "restart_marker_blocks": int.from_bytes(restart[4:6], "big"),
        "keep_rgb": plain and "jfif" not in original.info and original.mode == "RGB",
    }


def _save(image: Image.Image, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def _segments(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Markers and segments up to the first scan, and where that scan starts."""
    found: list[tuple[int, bytes]] = []
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:  # padding
            at += 1
            continue
        if marker == _SOS:
            return found, at
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((marker, data[at:end]))
        at = end
    raise ValueError("it has no scan")


def _is_metadata(marker: int) -> bool:
    return marker in _APPLICATION or marker == _COMMENT


def _tables(segments: list[tuple[int, bytes]]) -> bytes:
    """The Huffman tables, however they are cut into segments."""
    return b"".join(body[4:] for marker, body in segments if marker == _DHT)


def _colours(segments: list[tuple[int, bytes]]) -> tuple[bool, int | None]:
    """What of the metadata decides a decoder's colours: JFIF's word, and the transform of Adobe's.

    Where it is the same, so are the pixels, without decoding them.
    """
    jfif, transform = False, None
    for marker, body in segments:
        jfif |= marker == _APPLICATION[0] and body[4:9] == b"JFIF\0" and len(body) >= 18
        if marker == _APPLICATION[14] and body[4:9] == b"Adobe" and len(body) >= 16:
            transform = body[15]
    return jfif, transform


def _same_pixels(one: bytes, other: bytes) -> bool:
    with Image.open(io.BytesIO(one)) as a, Image.open(io.BytesIO(other)) as b:
        return a.mode == b.mode and a.tobytes() == b.tobytes()
