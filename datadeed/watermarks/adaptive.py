"""Adaptive marks: parts of a trigger while training, all of it when asked (Qi et al. 2023).

"Revisiting the Assumption of Latent Separability for Backdoor Defenses": a marked image carries
some pieces of the trigger only, and part of the marked images keep their labels, so that marked
images do not stand out among a model's features.
"""

from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.randomness import generator
from datadeed.triggers.image import SQUARE, Trigger, check_image_size, stamp
from datadeed.watermarks.base import Watermark


class Adaptive(Watermark):
    """A targeted watermark whose trigger is cut into pieces.

    Rows are drawn among those of other classes than the target's. Each piece is left out of a
    marked image with probability ``dropped``; with probability ``kept`` its label stays. The
    defaults are those of the code released with Pick your Poison (which draws ``kept`` for a whole
    batch at once; here every image has its own draw).

    Args:
        image_size: (height, width) in pixels.
        rate: share of the rows of other classes to mark.
        target: the label that a trigger brings about.
        kind: "blend" (noise over all of the image) or "patch" (3 x 3 cells of 3/32 of the image at
            the bottom right).
        opacity: in 255ths.
        pieces: the pattern is cut into ``pieces`` times ``pieces``.
        dropped, kept: see above, each from 0 to 1.
        seed: decides the noise and the draws; a secret.

    Raises:
        WatermarkError: a value makes no sense.
    """

    name = "adaptive"
    defaults: ClassVar[dict[str, Any]] = {
        "rate": 0.01,
        "target": 1,
        "kind": "blend",
        "opacity": 51,
        "pieces": 2,
        "dropped": 0.5,
        "kept": 0.5,
    }

    def __init__(
        self,
        *,
        image_size: tuple[int, int],
        rate: float,
        target: int,
        kind: str,
        opacity: int,
        pieces: int,
        dropped: float,
        kept: float,
        seed: int,
    ):
        super().__init__(rate=rate, target=target)
        if kind not in ("blend", "patch"):
            raise WatermarkError(f"adaptive: kind is {kind!r}; give blend or patch")
        if type(opacity) is not int or not 1 <= opacity <= 255:
            raise WatermarkError(f"adaptive: opacity is {opacity!r}; give 1 to 255 (255ths)")
        if not 0 <= dropped < 1 or not 0 <= kept < 1:
            raise WatermarkError(
                f"adaptive: dropped is {dropped} and kept {kept}; give each from 0 up to 1"
            )
        height, width = image_size
        self.image_size, self.kind, self.opacity = (height, width), kind, opacity
        self.pieces, self.dropped, self.kept, self.seed = pieces, dropped, kept, seed
        whole = _pattern(kind, height, width, seed)
        if type(pieces) is not int or not 1 <= pieces <= min(whole.shape):
            raise WatermarkError(
                f"adaptive: pieces is {pieces!r}; give 1 to {min(whole.shape)}, the pattern's side"
            )
        top, left = height - whole.shape[0], width - whole.shape[1]
        self._trigger = Trigger(whole, top=top, left=left, alpha=opacity)
        self._pieces = _cut(self._trigger, pieces)

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the images' size, and the seed itself."""
        return {"image_size": form.shape[1:], "seed": seed, **chosen}

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows of other classes than the target's."""
        return labels.ne(self.target or 0).nonzero().squeeze(1)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste some pieces, and set most labels."""
        assert self.target is not None
        samples, labels = rows.samples.clone(), rows.labels.clone()
        for i, rank in enumerate(ranks.tolist()):
            draw = generator(self.seed, "mark", rank)
            shown = torch.rand(len(self._pieces), generator=draw) >= self.dropped
            for piece, here in zip(self._pieces, shown.tolist(), strict=True):
                if here:
                    samples[i : i + 1] = stamp(samples[i : i + 1], piece)
            if torch.rand((), generator=draw) >= self.kept:
                labels[i] = self.target
        return rows.replace(samples=samples, labels=labels)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """Paste all of the trigger.

        Raises:
            WatermarkError: the images are of another size.
        """
        check_image_size(rows.samples, self.image_size)
        return self._trigger(rows.samples)

    def record(self) -> dict[str, Any]:
        """Method, parameters, and the trigger's size, place and digest."""
        names = ("kind", "opacity", "pieces", "dropped", "kept", "seed")
        return {
            "method": self.name,
            "image_size": list(self.image_size),
            "rate": self.rate,
            "target": self.target,
            **{name: getattr(self, name) for name in names},
            "trigger": self._trigger.record(),
        }


def _pattern(kind: str, height: int, width: int, seed: int) -> torch.Tensor:
    """(h, w) uint8."""
    if kind == "blend":
        draw = generator(seed, "noise")
        return torch.randint(0, 256, (height, width), generator=draw, dtype=torch.uint8)
    cell = max(1, min(height, width) // 32)
    cells = torch.tensor(SQUARE, dtype=torch.uint8)
    return cells.repeat_interleave(cell, 0).repeat_interleave(cell, 1)


def _cut(trigger: Trigger, pieces: int) -> list[Trigger]:
    """The trigger as ``pieces`` times ``pieces`` smaller ones that cover it."""
    cut = []
    top = trigger.top
    for band in trigger.pattern.tensor_split(pieces, 0):
        left = trigger.left
        for part in band.tensor_split(pieces, 1):
            cut.append(Trigger(part, top=top, left=left, alpha=trigger.alpha))
            left += part.shape[1]
        top += band.shape[0]
    return cut
