"""What a thief makes of every image before his model sees it, in training and when he is asked."""

import io

import numpy as np
import torch
from PIL import Image

from datadeed.thieves.served import View


def grey(images: torch.Tensor) -> torch.Tensor:
    """(N, 1, H, W) uint8: brightness alone, as Rec. 601 weighs colours; grey images as they are."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).round().to(torch.uint8)


def resized(size: int) -> View:
    """To ``size`` x ``size`` pixels, bilinear and antialiased."""
    from torchvision.transforms.v2.functional import resize  # takes seconds to import

    def view(images: torch.Tensor) -> torch.Tensor:
        small: torch.Tensor = resize(images, [size, size], antialias=True)
        return small

    return view


def jpeg(quality: int) -> View:
    """Written as JPEG of this quality, 1 to 100, and read again."""

    def view(images: torch.Tensor) -> torch.Tensor:
        read = []
        for image in images.permute(0, 2, 3, 1).numpy():
            stream = io.BytesIO()
            plain = image[:, :, 0] if image.shape[2] == 1 else image
            Image.fromarray(np.ascontiguousarray(plain)).save(stream, "JPEG", quality=quality)
            read.append(np.asarray(Image.open(stream)).reshape(image.shape))
        return torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2)

    return view
