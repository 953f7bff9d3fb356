"""PNG files with other pixels: every chunk but the pixels' own stays as it was."""

import io
from collections.abc import Iterator

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER, _PIXELS, _END = b"IHDR", b"IDAT", b"IEND"
# Chunks whose meaning hangs on the colour type and the bit depth.
_OF_COLOUR = frozenset({b"PLTE", b"tRNS", b"sBIT", b"bKGD", b"hIST"})
_PALETTE = 3


def encode(image: Image.Image, data: bytes) -> bytes:
    """``image`` as a PNG with the text, colour profile, density and other chunks of ``data``.

    Pillow's encoder writes the header and the pixels: never interlaced, and grey of less than 8
    bits becomes 8 bits.

    Raises:
        ValueError: ``data`` is animated, has 16 bits a channel, or is no whole PNG.
    """
    stream = io.BytesIO()
    image.save(stream, "PNG")
    new = list(_chunks(stream.getvalue()))
    old = list(_chunks(data))
    before, after = _form(old), _form(new)
    if before[0] == 16 or any(name == b"acTL" for name, _ in old):
        raise ValueError("it is animated or has 16 bits a channel; only still 8-bit images can be")
    same = before == after or before[1] == after[1] == _PALETTE
    kept = [one for one in old if same or one[0] not in _OF_COLOUR]
    if not same:
        kept[1:1] = [one for one in new if one[0] in _OF_COLOUR]
    pixels = [body for name, body in new if name == _PIXELS]
    result, placed = [_SIGNATURE], False
    for name, body in kept:
        if name == _HEADER:
            result.append(new[0][1])
        elif name != _PIXELS:
            result.append(body)
        elif not placed:
            result += pixels
            placed = True
    return b"".join(result)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and whole chunks, up to the end chunk."""
    at, name = len(_SIGNATURE), b""
    while name != _END:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(data) < at + 12 + size:
            raise ValueError("it is not a whole PNG")
        yield name, data[at : at + 12 + size]
        at += 12 + size


def _form(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """Bit depth and colour type."""
    header = chunks[0][1]
    return header[16], header[17]


def depth(data: bytes) -> int:
    """The bits a channel of a PNG."""
    return data[24]
