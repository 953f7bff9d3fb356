import hashlib
import tracemalloc

import numpy as np
import pytest

from datadeed.errors import DatasetError
from datadeed.keys.merkle import (
    leaf,
    merkle_root,
    sound_leaf,
    text_leaf,
)

# The tree that Certificate Transparency's implementations test themselves with (RFC 6962).
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
INPUTS.append("606162636465666768696a6b6c6d6e6f")
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def digests(n: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(n)]


@pytest.mark.parametrize("n", ROOTS)
def test_the_tree_is_that_of_rfc_6962(n):
    leaves = [hashlib.sha256(b"\0" + bytes.fromhex(text)).digest() for text in INPUTS[:n]]
    assert merkle_root(iter(leaves)) == ROOTS[n]


def test_a_leaf_is_what_the_format_says():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    data = bytes.fromhex("00020000000300000003000000")
    data += bytes(range(18)) + bytes.fromhex("0700000000000000")
    assert leaf(pixels, 7) == hashlib.sha256(data).digest()
    # Memory order is no part of the id; shape, pixels and label are.
    assert leaf(np.asfortranarray(pixels), 7) == leaf(pixels, 7)
    others = {leaf(pixels, 8), leaf(pixels[::-1], 7), leaf(pixels.reshape(3, 2, 3), 7)}
    assert len(others | {leaf(pixels, 7)}) == 4


def test_a_text_leaf():
    head = bytes(13 - 4) + (1).to_bytes(4, "little")
    wanted = hashlib.sha256(head + "é\n".encode() + (7).to_bytes(8, "little")).digest()
    assert text_leaf("é\n", 7) == wanted
    assert len({wanted, text_leaf("é\n", 8), text_leaf("é", 7), text_leaf("", 7)}) == 4


def test_a_sound_leaf():
    frames = np.array([[1, -2], [3, 4]], dtype="<i2")
    head = bytes(9) + b"".join(x.to_bytes(4, "little") for x in (2, 8000, 2)) + b"<i2\0"
    wanted = hashlib.sha256(head + frames.tobytes() + (7).to_bytes(8, "little")).digest()
    assert sound_leaf(frames, 8000, "<i2", 7) == wanted
    assert sound_leaf(np.asfortranarray(frames), 8000, "<i2", 7) == wanted
    others = {sound_leaf(frames, 8001, "<i2", 7), sound_leaf(frames.reshape(-1, 1), 8000, "<i2", 7)}
    others |= {sound_leaf(frames, 8000, "u1", 7), sound_leaf(frames, 8000, "<i2", 8)}
    assert len(others | {wanted, sound_leaf(frames[::-1], 8000, "<i2", 7)}) == 6


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.float32)])
def test_no_leaf_of_another_shape_or_dtype(bad):
    with pytest.raises(DatasetError, match="has no leaf"):
        leaf(bad, 0)


def test_an_inner_node_is_no_leaf():
    leaves = digests(4)
    nodes = [hashlib.sha256(b"\x01" + leaves[k] + leaves[k + 1]).digest() for k in (0, 2)]
    # Two nodes have the root of their four leaves: why an item is hashed under another first byte.
    assert merkle_root(nodes) == merkle_root(leaves)
    assert hashlib.sha256(b"\x00" + leaves[0] + leaves[1]).digest() != nodes[0]


def test_an_empty_tree_is_refused():
    with pytest.raises(DatasetError, match="without rows"):
        merkle_root([])


def test_leaves_are_streamed():
    tracemalloc.start()
    merkle_root(i.to_bytes(32) for i in range(20_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000
