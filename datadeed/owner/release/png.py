"""PNG files with other pixels: every chunk but the pixels' own stays as it was."""

import io

from PIL import Image

from datadeed.datasets.formats.png import SIGNATURE, chunks, is_cut

NOT_WHOLE = "is not a whole image (a PNG without its end)"

_HEADER, _PIXELS = b"IHDR", b"IDAT"
# Chunks whose meaning hangs on the colour type and the bit depth.
_OF_COLOUR = frozenset({b"PLTE", b"tRNS", b"sBIT", b"bKGD", b"hIST"})
_PALETTE = 3


def encode(image: Image.Image, data: bytes) -> bytes:
    """``image`` as a PNG with the text, colour profile, density and other chunks of ``data``.

    Pillow's encoder writes the header and the pixels: never interlaced, and grey of less than 8
    bits becomes 8 bits.

    Raises:
        ValueError: ``data`` is one of which :func:`fault` says something.
    """
    if what := fault(data):
        raise ValueError(f"it {what}")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    new = list(chunks(stream.getvalue()))
    old = list(chunks(data))
    before, after = _form(old), _form(new)
    same = before == after or before[1] == after[1] == _PALETTE
    kept = [one for one in old if same or one[0] not in _OF_COLOUR]
    if not same:
        kept[1:1] = [one for one in new if one[0] in _OF_COLOUR]
    pixels = [body for name, body in new if name == _PIXELS]
    result, placed = [SIGNATURE], False
    for name, body in kept:
        if name == _HEADER:
            result.append(new[0][1])
        elif name != _PIXELS:
            result.append(body)
        elif not placed:
            result += pixels
            placed = True
    return b"".join(result)


def fault(data: bytes) -> str:
    """What keeps a PNG from being written again with its other chunks; nothing if all is well."""
    if is_cut(data):
        return NOT_WHOLE
    parts = list(chunks(data))
    if _form(parts)[0] == 16:
        return "has 16 bits a channel"
    return "is an animated PNG" if any(name == b"acTL" for name, _ in parts) else ""


def _form(parts: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """Bit depth and colour type."""
    header = parts[0][1]
    return header[16], header[17]
