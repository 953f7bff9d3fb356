import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from datadeed.datasets.formats.images import decode
from datadeed.errors import DatasetError
from datadeed.owner.release import jpeg
from datadeed.owner.release.pictures import recode, redraw
from tests.datasets.formats.writers import encode_png


def photo(height=24, width=31, channels=3) -> np.ndarray:
    """A smooth picture: JPEG changes it little."""
    rows, columns = np.mgrid[:height, :width]
    planes = [rows * 5 + columns, columns * 6, 200 - rows * 3 - columns]
    return np.stack(planes[:channels], axis=2).astype(np.uint8)


def save(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def read(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def marked(pixels: np.ndarray) -> np.ndarray:
    new = pixels.copy()
    new[-4:, -4:] = 255 - new[-4:, -4:]
    return new


def chunks(data: bytes) -> list[bytes]:
    names, at = [], 8
    while at < len(data):
        names.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return names


LOSSLESS = {
    "PNG": {},
    "BMP": {},
    "PPM": {},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_lzw"},
}


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_formats_hold_the_pixels_exactly(form, channels):
    pixels = photo(channels=channels)
    data = save(Image.fromarray(pixels.squeeze()), form, **LOSSLESS[form])
    new = redraw("x", data, marked(pixels))
    assert read(new.data).format == form
    assert np.array_equal(decode("x", new.data, channels=channels, size=None), marked(pixels))
    assert new.same_form
    ours = recode("x", data, {form}, {})
    assert ours == data or form == "TIFF"  # its tags come in another order
    assert np.array_equal(decode("x", ours, channels=channels, size=None), pixels)
    assert recode("x", data, set(), {}) is data


@given(
    mode=st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "P"]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_any_png_holds_any_pixels_and_keeps_its_transparency(mode, size, seed):
    draw = np.random.default_rng(seed)
    old = Image.fromarray(draw.integers(0, 256, (*size, 4), np.uint8), "RGBA")
    old = old.convert("RGB").convert(mode) if mode in ("1", "P") else old.convert(mode)
    pixels = draw.integers(0, 256, (*size, 3), np.uint8)
    new = redraw("x", save(old, "PNG"), pixels)
    assert np.array_equal(decode("x", new.data, channels=3, size=None), pixels)
    if "A" in mode:
        assert read(new.data).getchannel("A").tobytes() == old.getchannel("A").tobytes()


def test_png_keeps_every_other_chunk_in_place():
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "the owner")
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    info.add(b"tIME", bytes([7, 208, 1, 1, 0, 0, 0]), after_idat=True)
    pixels = photo()
    data = save(
        Image.fromarray(pixels), "PNG", pnginfo=info, dpi=(72, 72), icc_profile=b"profile" * 9
    )
    new = redraw("x", data, marked(pixels)).data
    assert chunks(new) == chunks(data)
    assert {b"tEXt", b"gAMA", b"tIME", b"iCCP", b"pHYs"} < set(chunks(new))
    before, after = read(data), read(new)
    for key in ("Author", "gamma", "dpi", "icc_profile"):
        assert before.info[key] == after.info[key]


def test_a_palette_is_kept_if_it_has_the_colours():
    indices = np.arange(64, dtype=np.uint8).reshape(8, 8) % 4
    old = Image.frombytes("P", (8, 8), indices.tobytes())
    palette = [9, 9, 9, 9, 9, 9, 200, 0, 0, 0, 0, 200]  # the first two are one colour
    old.putpalette(palette)
    data = save(old, "PNG", transparency=2)
    pixels = decode("x", data, channels=3, size=None).copy()
    pixels[0, 0] = (0, 0, 200)
    new = redraw("x", data, pixels)
    assert (new.mode, new.new_mode, new.same_form) == ("P", "P", True)
    assert chunks(new.data) == chunks(data)
    assert np.array(read(new.data)).tolist() == [[3, *indices[0, 1:]], *indices[1:].tolist()]
    pixels[0, 0] = (1, 2, 3)
    new = redraw("x", data, pixels)
    assert (new.new_mode, new.same_form) == ("RGBA", False)
    assert np.array_equal(decode("x", new.data, channels=3, size=None), pixels)
    wide = recode("x", data, {"PNG"}, {"P": "RGB"})
    assert read(wide).convert("RGBA").tobytes() == read(data).convert("RGBA").tobytes()
    assert chunks(wide) == chunks(new.data)


def test_another_encoder_is_noticed_and_recoding_keeps_the_pixels():
    data = save(Image.fromarray(photo()), "PNG", compress_level=1)
    ours = recode("x", data, {"PNG"}, {})
    assert ours != data
    assert ours == encode_png(photo())


JPEGS = {
    "plain": {},
    "fine": {"quality": 95, "subsampling": 0},
    "wide": {"quality": 60, "subsampling": 1},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "restarts": {"restart_marker_blocks": 2},
    "metadata": {"icc_profile": b"profile" * 99, "comment": "by hand", "dpi": (300, 300)},
    "rgb": {"keep_rgb": True, "quality": 90},
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_keeps_its_form(name):
    data = save(Image.fromarray(photo()), "JPEG", **JPEGS[name])
    pixels = decode("x", data, channels=3, size=None)
    new = redraw("x", data, marked(pixels))
    assert new.same_form
    before, after = read(data), read(new.data)
    assert before.quantization == after.quantization
    assert before.layer == after.layer
    assert before.info == after.info
    old_segments, new_segments = (jpeg._segments(one)[0] for one in (data, new.data))
    assert [marker for marker, _ in old_segments] == [marker for marker, _ in new_segments]
    if name == "plain":
        assert old_segments == new_segments
    error = np.abs(decode("x", new.data, channels=3, size=None).astype(int) - marked(pixels))
    assert error[:16, :16].mean() < 1.5  # far from the mark
    assert error.mean() < 8


def test_exif_is_carried_to_the_letter():
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "a picture", 6
    data = save(Image.fromarray(photo()), "JPEG", exif=exif)
    new = redraw("x", data, marked(decode("x", data, channels=3, size=None)))
    assert read(new.data).info["exif"] == read(data).info["exif"]
    assert read(new.data).getexif()[0x0112] == 6


def test_grey_and_cmyk_jpegs():
    grey = save(Image.fromarray(photo()[:, :, 0]), "JPEG")
    pixels = decode("x", grey, channels=3, size=None)
    assert redraw("x", grey, marked(pixels)).new_mode == "L"
    colour = pixels.copy()
    colour[:8, :8] = (250, 0, 0)
    new = redraw("x", grey, colour)
    assert (new.mode, new.new_mode, new.same_form) == ("L", "RGB", False)
    assert decode("x", new.data, channels=3, size=None)[1, 1].tolist() == pytest.approx(
        [250, 0, 0], abs=12
    )
    cmyk = save(Image.fromarray(photo()).convert("CMYK"), "JPEG", quality=95)
    pixels = decode("x", cmyk, channels=3, size=None)
    new = redraw("x", cmyk, marked(pixels))
    assert (new.new_mode, new.same_form) == ("CMYK", True)
    assert (
        np.abs(decode("x", new.data, channels=3, size=None).astype(int) - marked(pixels)).mean() < 4
    )


def animated() -> bytes:
    frames = [Image.fromarray(photo()), Image.fromarray(255 - photo())]
    return save(frames[0], "PNG", save_all=True, append_images=frames[1:])


def deep() -> bytes:
    data = bytearray(encode_png(np.zeros((1, 1, 3), np.uint8)))
    header = data[12:29]
    header[12] = 16
    rows = zlib.compress(bytes(1 + 6))
    body = len(rows).to_bytes(4, "big") + b"IDAT" + rows
    return (
        bytes(data[:12] + header)
        + zlib.crc32(header).to_bytes(4, "big")
        + body
        + zlib.crc32(body[4:]).to_bytes(4, "big")
        + bytes(data[-12:])
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: save(Image.fromarray(photo()), "WEBP"), "is lossy WEBP"),
        (lambda: save(Image.fromarray(photo()), "TIFF", compression="jpeg"), "is lossy TIFF"),
        (lambda: save(Image.fromarray(photo()).quantize(9), "GIF"), "is GIF"),
        (animated, "x has several frames"),
        (deep, "16 bits a channel"),
        (lambda: encode_png(photo())[:60], "not a whole image"),
    ],
)
def test_what_cannot_be_written_unseen_is_refused(data, message):
    data = data()
    size = (1, 1) if message.startswith("16") else (24, 31)
    with pytest.raises(DatasetError, match=message) as caught:
        redraw("x", data, np.zeros((*size, 3), np.uint8))
    assert "\n" not in str(caught.value)
