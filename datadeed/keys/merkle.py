"""The canonical id of a dataset: the root of a Merkle tree over its decoded items.

The id survives repacking. The tree is that of RFC 6962, section 2.1: leaves and inner nodes are
hashed under different first bytes, so that no node can be passed off as a leaf.
"""

import hashlib
import struct
from collections.abc import Iterable

import numpy as np

from datadeed.errors import DatasetError


def leaf(pixels: np.ndarray, label: int) -> bytes:
    """SHA-256 of one item: ``0x00``, H, W and C as uint32, the pixels, the label as int64.

    Integers are little-endian.

    Args:
        pixels: (H, W, C) uint8.
        label: the class number.

    Returns:
        32 bytes.

    Raises:
        DatasetError: the pixels have another shape or dtype.
    """
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DatasetError(
            f"an item of shape {pixels.shape} {pixels.dtype} has no leaf: give (H, W, C) uint8"
        )
    sha = hashlib.sha256(struct.pack("<B3I", 0, *pixels.shape))
    sha.update(np.ascontiguousarray(pixels).data)
    sha.update(struct.pack("<q", label))
    return sha.digest()


def text_leaf(text: str, label: int) -> bytes:
    """SHA-256 of a text: ``0x00``, 0, 0 and 1 as uint32, its UTF-8, the label as int64.

    No image has sides of 0 pixels, so that no text is taken for one.

    Returns:
        32 bytes.
    """
    sha = hashlib.sha256(struct.pack("<B3I", 0, 0, 0, 1))
    sha.update(text.encode())
    sha.update(struct.pack("<q", label))
    return sha.digest()


def sound_leaf(frames: np.ndarray, rate: int, kind: str, label: int) -> bytes:
    """SHA-256 of a sound as its file stores it.

    Hashed are ``0x00``; 0, 0, 2, the rate and the number of channels as uint32; how a value is
    stored, in 4 bytes; the values, frame by frame; and the label as int64.

    Args:
        frames: (frames, channels) of any number type.
        rate: in Hz.
        kind: of a stored value, such as "<i2" (:class:`datadeed.datasets.formats.wav.WavForm`).
        label: the class number.

    Returns:
        32 bytes.
    """
    head = struct.pack("<B5I4s", 0, 0, 0, 2, rate, frames.shape[1], kind.encode())
    sha = hashlib.sha256(head)
    sha.update(np.ascontiguousarray(frames).data)
    sha.update(struct.pack("<q", label))
    return sha.digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> str:
    """The root over 32-byte leaves, in hexadecimal.

    The leaves may come from a generator: one node a level is held.

    Raises:
        DatasetError: there is no leaf.
    """
    # (leaves below, node): the sizes are falling powers of two, as a binary counter's digits.
    waiting: list[tuple[int, bytes]] = []
    for one in leaves:
        size, node = 1, one
        while waiting and waiting[-1][0] == size:
            node = _node(waiting.pop()[1], node)
            size *= 2
        waiting.append((size, node))
    if not waiting:
        raise DatasetError("a dataset without rows has no Merkle root: check the source")
    node = waiting.pop()[1]
    while waiting:
        node = _node(waiting.pop()[1], node)
    return node.hex()
