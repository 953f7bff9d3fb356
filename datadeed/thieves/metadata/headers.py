"""Encoders that differ: quantisation tables, segments, chunks."""

import struct
from collections import Counter
from typing import ClassVar

import numpy as np

from datadeed.thieves.metadata.base import MetadataDetector
from datadeed.thieves.metadata.listing import Listing

_SOS = 0xDA
_SIZED = frozenset({0xC0, 0xC1, 0xC2})  # frame headers: with the image's size, which is left out
USUAL = 0.9  # share of all files that must look alike, so that another look is odd


class Headers(MetadataDetector):
    """How rare the form of a file's header is: the log of one over its share.

    Of JPEG the segments up to the first scan (quantisation tables, sampling, progressive or not),
    of PNG the chunks, depth, colour and zlib's header, of others the first four bytes. 0 where
    fewer than 90 % of all files look alike.
    """

    name: ClassVar[str] = "headers"
    threshold: ClassVar[float | None] = 0.0

    def __call__(self, listing: Listing) -> np.ndarray | None:
        if listing.stored is None:
            return None
        forms = [form_of(data) for data in listing.stored()]
        counts = Counter(forms)
        usual, times = counts.most_common(1)[0]
        if times < USUAL * len(forms):
            return np.zeros(len(forms))
        rarity = {form: np.log(len(forms) / count) for form, count in counts.items()}
        rarity[usual] = 0.0
        return np.array([rarity[form] for form in forms], dtype=np.float64)


def form_of(data: bytes) -> bytes:
    """What a file's header says of its encoder."""
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
    except (IndexError, struct.error):
        pass
    return data[:4]


def _jpeg(data: bytes) -> bytes:
    """Markers, and the content of tables and of frame headers but for the size."""
    found, at = [b"JPEG"], 2
    while data[at + 1] != _SOS:
        if data[at + 1] == 0xFF:  # padding
            at += 1
            continue
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        found.append(bytes([marker]))
        if marker == 0xDB:
            found.append(body)
        elif marker in _SIZED:
            found.append(body[:1] + body[5:])
        at += 2 + length
    return b"".join(found)


def _png(data: bytes) -> bytes:
    """Chunks in order (repeated ones once), depth, colour, interlacing, zlib's header."""
    found, at, last = [b"PNG"], 8, b""
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind != last:
            found.append(kind)
            if kind == b"IHDR":
                found.append(data[at + 16 : at + 21])
            if kind == b"IDAT":
                found.append(data[at + 8 : at + 10])
        at, last = at + 12 + length, kind
    return b"".join(found)
