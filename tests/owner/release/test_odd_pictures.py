"""Photos with several pictures or an orientation, and kinds that cannot be written again."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from datadeed.datasets.formats.images import decode, decode_whole, fault
from datadeed.errors import DatasetError
from datadeed.owner.release.pictures import check_writable, recode, redraw, settle, single
from tests.owner.release.test_pictures import LOSSLESS, animated, deep, marked, photo, read, save


def album(pictures: int, **options) -> bytes:
    """A JPEG with several pictures, as cameras write them (CIPA DC-007)."""
    more = [Image.fromarray(photo()[::-1]) for _ in range(pictures - 1)]
    return save(Image.fromarray(photo()), "MPO", save_all=True, append_images=more, **options)


@given(pictures=st.integers(2, 4), quality=st.integers(5, 100), progressive=st.booleans())
def test_of_several_pictures_the_first_is_taken(pictures, quality, progressive):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "camera"
    data = album(pictures, quality=quality, progressive=progressive, exif=exif)
    assert read(data).format == "MPO"
    first = single("x", data)
    image = read(first)
    assert (image.format, image.getexif()[ExifTags.Base.Make]) == ("JPEG", "camera")
    assert image.tobytes() == read(data).tobytes()
    assert single("x", first) == first
    assert len(first) < len(data)
    new = redraw("x", first, marked(np.array(image)))
    assert (new.format, read(new.data).format) == ("JPEG", "JPEG")
    assert settle("x", data) == settle("x", first)


def test_an_album_that_ends_early_is_told():
    data = album(2)
    with pytest.raises(DatasetError, match="x is not a whole image"):
        single("x", data[: data.index(b"\xff\xda") + 40])


def test_all_that_cannot_be_written_are_counted_and_the_first_named():
    good = [save(Image.fromarray(photo()), form, **more) for form, more in LOSSLESS.items()]
    good += [save(Image.fromarray(photo()), "JPEG"), album(2)]
    good += [save(Image.fromarray(photo()).convert("CMYK"), "JPEG")]
    assert check_writable(lambda: ((str(n), data) for n, data in enumerate(good))) == 0
    bad = [
        save(Image.fromarray(photo()), "WEBP"),
        save(Image.fromarray(photo()).quantize(9), "GIF"),
        animated(),
        deep(),
        save(Image.fromarray(photo()), "TIFF", compression="jpeg"),
        save(Image.fromarray(photo()).convert("CMYK"), "TIFF"),
    ]
    with pytest.raises(DatasetError) as caught:
        check_writable(lambda: ((f"f{n}", data) for n, data in enumerate(good + bad)))
    first = len(good)
    assert str(caught.value) == (
        f"6 of {first + 6} images cannot be written again unseen: f{first} is lossy WEBP, "
        f"f{first + 1} is GIF, f{first + 2} has several frames, f{first + 3} has 16 bits a "
        f"channel, f{first + 4} is lossy TIFF, and 1 more; convert them to PNG or JPEG, or leave "
        "them out"
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_is_counted_and_kept_beside_pixels_as_they_are_stored(form, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = save(Image.fromarray(photo()), form, exif=exif, **LOSSLESS.get(form, {}))
    assert check_writable(lambda: [("x", data)]) == (orientation > 1)
    old = decode("x", data, channels=3, size=None)
    assert old.shape == (24, 31, 3)
    new = redraw("x", data, marked(old)).data
    assert read(new).getexif()[ExifTags.Base.Orientation] == orientation
    shown = decode("x", new, channels=3, size=None).astype(int)
    assert np.abs(shown - marked(old)).mean() < (8 if form == "JPEG" else 1e-9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(orientation):  # Pillow itself turns it
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = save(Image.fromarray(photo()), "TIFF", exif=exif, compression="tiff_lzw")
    old = decode("x", data, channels=3, size=None)
    assert old.shape == ((24, 31, 3) if orientation < 5 else (31, 24, 3))
    new = redraw("x", data, marked(old)).data
    assert ExifTags.Base.Orientation not in read(new).getexif()
    assert np.array_equal(decode("x", new, channels=3, size=None), marked(old))
    assert np.array_equal(decode("x", recode("x", data, {"TIFF"}, {}), channels=3, size=None), old)


@pytest.mark.parametrize("kind", ["no end", "half an end", "a byte short", "animated"])
def test_a_png_that_ends_early_or_moves_is_found_before_a_key(kind):
    """Whatever Pillow lets pass; and the writers say the same."""
    whole = save(Image.fromarray(photo()), "PNG")
    bad = {
        "no end": whole[:-12],
        "half an end": whole[:-8],
        "a byte short": whole[:-1],
        "animated": whole[:33] + chunk(b"acTL", struct.pack(">2I", 1, 0)) + whole[33:],
    }[kind]
    assert decode("x", bad, channels=3, size=None).shape == (24, 31, 3)
    words = "b has several frames" if kind == "animated" else "b is not a whole image"
    if kind == "animated":
        with pytest.raises(DatasetError, match=f"1 of 2 images cannot be .* again .*: {words}"):
            check_writable(lambda: [("a", whole), ("b", bad)])
    else:  # with all other damaged ones
        assert check_writable(lambda: [("a", whole), ("b", bad)]) == 0
        with pytest.raises(DatasetError, match=words):
            decode_whole("b", bad, channels=3)
    with pytest.raises(DatasetError, match=words):
        redraw("b", bad, photo())
    with pytest.raises(DatasetError, match=words):
        recode("b", bad, {"PNG"}, {})
    assert check_writable(lambda: [("a", whole), ("b", whole + b"more")]) == 0
    assert bool(fault("b", bad)) == (kind != "animated")  # damaged=skip leaves it out
    assert fault("b", whole + b"more") is None


def chunk(name: bytes, body: bytes) -> bytes:
    size, check = len(body).to_bytes(4, "big"), zlib.crc32(name + body).to_bytes(4, "big")
    return size + name + body + check
