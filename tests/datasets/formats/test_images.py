import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from datadeed.datasets.formats import images
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import split_of
from tests.datasets.formats.writers import encode_png


def encoded(image, kind="PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def declared(width, height) -> bytes:
    """A PNG of a few bytes that claims a size."""

    def part(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(b""))
        + part(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_decompression_bombs_are_refused_in_one_line(side):
    for read in (
        lambda: images.is_colour("bomb.png", declared(side, side)),
        lambda: images.decode("bomb.png", declared(side, side), channels=1, size=8),
    ):
        with pytest.raises(DatasetError, match=r"bomb\.png declares .*limit") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_modes():
    grey, colour = Image.new("L", (3, 2), 9), Image.new("RGBA", (3, 2), (1, 2, 3, 4))
    assert not images.is_colour("x", encoded(grey))
    assert images.is_colour("x", encoded(colour))
    assert images.decode("x", encoded(grey), channels=1, size=None).tolist() == [[[9]] * 3] * 2
    assert images.decode("x", encoded(colour), channels=3, size=None).tolist() == (
        [[[1, 2, 3]] * 3] * 2
    )
    with pytest.raises(DatasetError, match="8 bits"):
        images.is_colour("x", encoded(Image.new("I;16", (3, 2))))


def test_png_is_lossless():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    back = images.decode("x", encode_png(pixels), channels=3, size=None)
    assert np.array_equal(back, pixels)


def test_the_centre_is_kept_and_the_edges_cut():
    stripes = np.zeros((8, 24), np.uint8)
    stripes[:, 8:16] = 200
    for array in (stripes, stripes.T):
        image = Image.fromarray(array)
        whole = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
        left, top = (whole.width - 4) // 2, (whole.height - 4) // 2
        cut = np.asarray(whole.crop((left, top, left + 4, top + 4)), dtype=int)
        assert np.abs(np.asarray(images.fit(image, 4)) - cut).max() <= 1
        assert cut.mean() > 190
    same = Image.fromarray(stripes[:, :8])
    assert images.fit(same, 8) is same


def test_large_files_decode_on_threads_in_order():
    noise = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    files = [encode_png(one) for one in noise]
    assert min(map(len, files)) > 2**13
    (block,) = images.blocks(split_of("image", files))
    assert np.array_equal(block.samples.permute(0, 2, 3, 1).numpy(), noise)
    assert block.index.tolist() == list(range(6))
