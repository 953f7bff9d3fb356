"""What a suspect is: something that answers queries, and nothing more."""

import hashlib
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from datadeed.errors import DatadeedError


class SuspectError(DatadeedError):
    """A suspect cannot be asked: its file, address or configuration is wrong."""


class BudgetSpent(SuspectError):
    """The next query would exceed the limit on queries or cost."""


@dataclass(frozen=True)
class Answer:
    """What a suspect said to one image.

    Attributes:
        labels: class numbers of the key, best first. All classes if the suspect gives
            probabilities, the first few if it gives only those (the rest are unknown, not zero),
            one if it gives a label. Empty if the query failed, or if the suspect's best class is
            one that the key does not have.
        scores: probabilities 0 to 1 beside ``labels``; None if the suspect gives labels only.
        error: why there is no answer, one line; "" if there is one.
        attempts: how often the question was sent.
        seconds: how long the last attempt took.
        response_sha256: of the raw body of the response; "" for a local model.
    """

    labels: tuple[int, ...]
    scores: tuple[float, ...] | None
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0
    response_sha256: str = ""

    @property
    def label(self) -> int | None:
        """The best class, or None."""
        return self.labels[0] if self.labels else None

    @property
    def failed(self) -> bool:
        """Whether the query gave no answer. One without a known class is an answer."""
        return bool(self.error)


class Suspect(Protocol):
    """A model under suspicion, seen through its answers alone.

    It may have an ``at_once``: how many images it is given at once, 1 by default. Answers are
    written down when all of them are there, so that a crash loses so many at most.

    Attributes:
        name: what the owner calls it.
        classes: the key's class names, which ``Answer.labels`` number.
        groups: of each label that it can give, the key's classes that it stands for: one as a
            rule, several where the suspect merges them. An answer gives the first of a group. A
            class in no group is one that the suspect lacks.
        declared: ``input`` and ``output`` of its configuration, as JSON values; it says how images
            are pre-processed and answers are read.
        kind: ``probabilities`` (all classes), ``top-k`` or ``labels``.
        protocol: how it is asked, as in the configuration.
        endpoint: the address or path that is asked; it holds no credentials.
    """

    name: str
    classes: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    declared: dict[str, Any]
    kind: str
    protocol: str
    endpoint: str

    def predict(self, images: torch.Tensor) -> list[Answer]:
        """One answer an image, in order.

        Args:
            images: (N, C, H, W) uint8, in the dataset's own form.

        Raises:
            BudgetSpent: not all images can be asked; none was.
            SuspectError: the images do not fit the suspect's declared input. A bad answer, or
                none, is never an error: it is an :class:`Answer` that says why it failed.
        """

    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the model's file, or of its address and configuration."""

    def close(self) -> None:
        """Let go of connections and memory."""


def failure(
    error: str, *, attempts: int = 1, seconds: float = 0.0, response_sha256: str = ""
) -> Answer:
    """An answer that failed; the text may come from a stranger and is cleaned."""
    return Answer(
        (), None, one_line(error) or "no reason given", attempts, seconds, response_sha256
    )


def first_of(groups: Sequence[Sequence[int]]) -> dict[int, int]:
    """What an answer says for each of the key's classes: the first of its group."""
    return {member: group[0] for group in groups for member in group}


def question_digest(image: torch.Tensor) -> str:
    """SHA-256, in hexadecimal, of one image: C, H, W as uint32 little endian, then its bytes.

    Args:
        image: (C, H, W) uint8.
    """
    pixels = image.contiguous().numpy()
    return hashlib.sha256(struct.pack("<3I", *pixels.shape) + pixels.tobytes()).hexdigest()


def one_line(text: str, limit: int = 200) -> str:
    """Text from a stranger as one printable line of at most ``limit`` characters.

    Control and format characters go: they could move a terminal's cursor, hide text or turn it.
    """
    text = " ".join(text[: 10 * limit].split())
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def check_images(images: torch.Tensor) -> None:
    """Check that images are in the dataset's form.

    Raises:
        SuspectError: they are not.
    """
    if images.ndim != 4 or images.dtype != torch.uint8 or images.shape[1] not in (1, 3):
        raise SuspectError(
            f"images are {tuple(images.shape)} {images.dtype}: give (N, 1 or 3, H, W) uint8"
        )
