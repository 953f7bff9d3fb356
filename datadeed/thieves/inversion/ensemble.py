"""The models under attack: checked once, then asked as one."""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from datadeed.errors import ModelError
from datadeed.models.model import Model
from datadeed.thieves.trigger_inversion import frozen

PROBES = 16


class Ensemble:
    """One model or more that tell the same classes of pictures of the same size apart.

    Args:
        members: on one device; they are put into evaluation mode and otherwise left as they are.
        names: what messages call them; their numbers from 1 by default.
        classes: the class names that each model says, where it says any (None).

    Attributes:
        shape: (C, H, W) of a picture.
        classes: number of classes.

    Raises:
        ModelError: there is no member, or one takes no images, images of another size or other
            classes (or these in another order) than the first, or answers everything with NaN or
            with the same.
    """

    def __init__(
        self,
        members: Sequence[Model],
        *,
        names: Sequence[str] | None = None,
        classes: Sequence[Sequence[str] | None] | None = None,
    ):
        if not members:
            raise ModelError("an ensemble needs one model or more: none was given")
        self.members = tuple(members)
        self.names = tuple(names or (f"model {i}" for i in range(1, len(members) + 1)))
        for name, member in zip(self.names, self.members, strict=True):
            if member.modality != "image":
                raise ModelError(f"{name} takes {member.modality}: only images are inverted")
        self.shape: tuple[int, ...] = tuple(self.members[0].config["shape"])
        self.classes = self.members[0].output_layer.out_features
        self._same_questions()
        if classes is not None:
            self._same_names(classes)
        self._sensible_answers()

    def __len__(self) -> int:
        return len(self.members)

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        return self.members[0].device

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(M, N, K) float of (N, C, H, W) pictures, float 0..1 or uint8; with gradients."""
        return torch.stack([member(x).float() for member in self.members])

    @torch.no_grad()
    def answers(self, x: torch.Tensor) -> torch.Tensor:
        """Softmax probabilities, (M, N, K) float32 on the CPU, of (N, C, H, W) pictures."""
        with self.frozen():
            parts = [self.logits(part.to(self.device)).softmax(2).cpu() for part in x.split(256)]
        return torch.cat(parts, 1)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside the block no member's weights get gradients."""
        with frozen(*self.members):
            yield

    def norms(self) -> list[nn.BatchNorm2d]:
        """The members' batch norms that know the training data's statistics."""
        return [
            module
            for member in self.members
            for module in member.modules()
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None
        ]

    def _same_questions(self) -> None:
        first = self.names[0]
        for name, member in zip(self.names, self.members, strict=True):
            shape, classes = tuple(member.config["shape"]), member.output_layer.out_features
            if shape != self.shape:
                raise ModelError(
                    f"{name} takes images of {shape} and {first} of {self.shape}: invert models of "
                    "one input size"
                )
            if classes != self.classes:
                raise ModelError(
                    f"{name} has {classes} classes and {first} {self.classes}: invert models of "
                    "the same classes"
                )

    def _same_names(self, classes: Sequence[Sequence[str] | None]) -> None:
        known = [(n, list(c)) for n, c in zip(self.names, classes, strict=True) if c is not None]
        for name, own in known:
            if len(own) != self.classes:
                raise ModelError(f"{name} names {len(own)} classes and answers {self.classes}")
            if own != known[0][1]:
                order = sorted(own) == sorted(known[0][1])
                raise ModelError(
                    f"{name} and {known[0][0]} have {'the same' if order else 'other'} classes"
                    f"{' in another order' if order else ''}: invert models of one list of classes"
                )

    def _sensible_answers(self) -> None:
        draw = torch.Generator().manual_seed(0)
        probes = smooth_noise(PROBES, self.shape, draw).to(self.device)
        with torch.no_grad(), self.frozen():
            logits = self.logits(probes)  # probabilities of a sure model may all be 0 and 1
        for name, said in zip(self.names, logits, strict=True):
            if not bool(said.isfinite().all()):
                raise ModelError(f"{name} answers with NaN: train it again, or leave it out")
            if bool((said == said[0]).all()):
                raise ModelError(
                    f"{name} answers every picture with the same: nothing is to be learnt from it, "
                    "leave it out"
                )


def smooth_noise(n: int, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Blotches that look like no class in particular, (n, C, H, W) float 0..1: to probe models."""
    channels, height, width = shape
    coarse = [max(2, side // 4) for side in (height, width)]
    blotches = torch.rand(n, channels, *coarse, generator=generator)
    return nn.functional.interpolate(blotches, (height, width), mode="bilinear")
