"""From the dataset's samples to what a suspect takes."""

import base64
import io
from typing import Any

import numpy as np
import torch

from datadeed.datasets.formats.wav import encode_wav
from datadeed.owner.suspects.base import Misfit, check_kind
from datadeed.owner.suspects.inputs import FLOATS, Input
from datadeed.triggers.sound import ends


def fit(images: torch.Tensor, declared: Input) -> torch.Tensor:
    """Images in the suspect's channels and size, (N, C, H, W) uint8.

    Raises:
        Misfit: they do not fit, and nothing was declared that would make them.
    """
    check_kind(images, "image", "the suspect")
    channels, height, width = images.shape[1:]
    if channels == 1 and declared.channels == 3:
        images = images.expand(-1, 3, -1, -1)
    elif channels != declared.channels:
        raise Misfit(
            f"the images have {channels} channels and the suspect takes {declared.channels}: "
            "correct input.channels"
        )
    size = (declared.height, declared.width)
    if (height, width) == size:
        return images
    if declared.resize is None:
        raise Misfit(
            f"the images are {height}x{width} and the suspect takes {size[0]}x{size[1]}: set "
            "input.resize to bicubic, or correct input.height and width"
        )
    return torch.nn.functional.interpolate(images, size, mode="bicubic", antialias=True)


def tensor(images: torch.Tensor, declared: Input) -> np.ndarray:
    """Fitted images as the suspect's tensor, in its type and layout; floats are scaled."""
    pixels = images
    if declared.dtype in FLOATS:
        exact = torch.float64 if declared.dtype == "float64" else torch.float32
        pixels = images.to(exact) / declared.divide
        if declared.mean is not None:
            pixels = pixels - torch.tensor(declared.mean, dtype=exact).view(1, -1, 1, 1)
        if declared.std is not None:
            pixels = pixels / torch.tensor(declared.std, dtype=exact).view(1, -1, 1, 1)
    if declared.layout == "NHWC":
        pixels = pixels.permute(0, 2, 3, 1)
    array: np.ndarray = pixels.contiguous().numpy().astype(declared.dtype, copy=False)
    return array


def picture(image: torch.Tensor, kind: str) -> bytes:
    """One fitted image, (C, H, W) uint8, as a file: "png", or "jpeg" as it loses least."""
    from PIL import Image

    pixels = image.permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    made = Image.fromarray(pixels.squeeze(2) if len(image) == 1 else pixels)
    made.save(buffer, kind, **({"quality": 95, "subsampling": 0} if kind == "jpeg" else {}))
    return buffer.getvalue()


def wav(clip: torch.Tensor, rate: int) -> bytes:
    """One clip, (L,) int16, as a WAV file without the padding at its end.

    A clip of zeros alone keeps its length.
    """
    (end,) = ends(clip[None]).tolist()
    return encode_wav(clip[: end or None].numpy(), rate)


def encode(samples: Any, declared: Input) -> list[np.ndarray] | list[bytes] | list[str]:
    """Each sample as the protocol carries it.

    An image as a tensor without batch axis, a file, or its base64; a text as it is; a clip as a WAV
    file of 16 bits, or its base64.

    Raises:
        Misfit: the samples are not what is declared.
    """
    check_kind(samples, declared.takes, "the suspect")
    if declared.takes == "text":
        return list(samples)
    if declared.takes == "audio":
        return _in_text([wav(clip, declared.rate) for clip in samples], declared)
    fitted = fit(samples, declared)
    if declared.encoding == "tensor":
        return list(tensor(fitted, declared))
    return _in_text([picture(image, declared.kind) for image in fitted], declared)


def _in_text(files: list[bytes], declared: Input) -> list[bytes] | list[str]:
    """Files as they are, or as base64."""
    if not declared.encoding.endswith("-base64"):
        return files
    return [base64.b64encode(file).decode() for file in files]
