"""What a false accuser can do after he has seen a model: a trigger made to measure.

The published tests ask whether a trigger works. A trigger that was optimised against an innocent
model works too, so that they accuse it: "False Claims against Model Ownership Resolution" (Liu et
al. 2023, arXiv 2304.06607). The triggers here are targeted universal perturbations
(Moosavi-Dezfooli et al. 2017, arXiv 1610.08401), blended over the whole image or as an opaque patch
(Brown et al. 2017, arXiv 1712.09665): the two forms that DVBW's own watermarks have.
"""

import torch
from torch.nn.functional import cross_entropy

from datadeed.errors import VerificationError
from datadeed.models.model import Model
from datadeed.triggers.image import Trigger, check_fit


def optimise_trigger(
    model: Model,
    images: torch.Tensor,
    target: int,
    *,
    box: tuple[int, int, int, int],
    alpha: int,
    steps: int,
    batch_size: int,
    generator: torch.Generator,
) -> Trigger:
    """A grey trigger that sends a model's answers to ``target``: sign descent on the pattern alone.

    Args:
        model: of images, seen from within; its weights are not changed.
        images: (N, C, H, W) uint8 to optimise on; not those it will be shown to work on.
        target: the label to bring about.
        box: top, left, height and width of the pattern in pixels.
        alpha: opacity in 255ths.
        steps, batch_size: gradient steps, and images in each.
        generator: draws the images of each step.

    Raises:
        VerificationError: there are no images or no steps.
        WatermarkError: the pattern does not fit into the image.
    """
    if not len(images) or steps < 1 or batch_size < 1:
        raise VerificationError("a trigger is optimised on one image and one step or more")
    top, left, height, width = box
    pattern = torch.full((height, width), 0.5)
    check_fit(Trigger(pattern, top, left, alpha), *images.shape[2:])
    opacity = alpha / 255
    device = model.device
    model.eval()
    for step in range(steps):
        rows = torch.randint(len(images), (batch_size,), generator=generator)
        marked = images[rows].float() / 255
        leaf = pattern.clone().requires_grad_()
        inside = marked[:, :, top : top + height, left : left + width]
        inside.mul_(1 - opacity)  # a view: what follows adds the pattern, with its gradient
        shift = torch.nn.functional.pad(
            leaf * opacity,
            (left, images.shape[3] - left - width, top, images.shape[2] - top - height),
        )
        with torch.autocast(device.type, torch.bfloat16):
            logits = model((marked + shift).to(device))
        loss = cross_entropy(logits.float(), torch.full((batch_size,), target, device=device))
        (slope,) = torch.autograd.grad(loss, leaf)
        size = 0.5 * (1 - step / steps)  # from half of the range down, so that the last ones settle
        pattern = (pattern - size * slope.sign()).clamp(0, 1)
    return Trigger((pattern * 255).round().to(torch.uint8), top, left, alpha)
