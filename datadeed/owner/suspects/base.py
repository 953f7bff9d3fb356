"""What a suspect is: something that answers queries, and nothing more."""

import hashlib
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from datadeed.errors import DatadeedError
from datadeed.owner.suspects.blot import blot


class SuspectError(DatadeedError):
    """A suspect cannot be asked: its file, address or configuration is wrong."""


class Misfit(SuspectError):
    """The samples are not what the suspect takes, or is declared to take."""


class BudgetSpent(SuspectError):
    """The next query would exceed the limit on queries or cost."""


@dataclass(frozen=True)
class Answer:
    """What a suspect said to one sample.

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

    It may have an ``at_once``: how many samples it is given at once, 1 by default. Answers are
    written down when all of them are there, so that a crash loses so many at most.

    Attributes:
        name: what the owner calls it.
        classes: the key's class names, which ``Answer.labels`` number.
        groups: of each label that it can give, the key's classes that it stands for: one as a
            rule, several where the suspect merges them. An answer gives the first of a group. A
            class in no group is one that the suspect lacks.
        declared: ``input`` and ``output`` of its configuration, as JSON values; it says how
            samples are pre-processed and answers are read.
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

    def predict(self, samples: Any) -> list[Answer]:
        """One answer a sample, in order.

        Args:
            samples: in the dataset's own form: (N, C, H, W) uint8 images, a list of N texts, or
                (N, L) int16 clips.

        Raises:
            BudgetSpent: not all samples can be asked; none was.
            Misfit: the samples do not fit the suspect's declared input.
            SuspectError: it cannot be asked. A bad answer, or none, is never an error: it is an
                :class:`Answer` that says why it failed.
        """

    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the model's file, or of its address and configuration."""

    def close(self) -> None:
        """Let go of connections and memory."""


def failure(error: str, *, secrets: Sequence[str] = (), **known: Any) -> Answer:
    """An answer that failed.

    Args:
        error: may come from a stranger: it is cleaned, and then secrets are blotted out.
        secrets: what must not be shown.
        known: of the :class:`Answer`: ``attempts``, ``seconds``, ``response_sha256``.
    """
    return Answer((), None, blot(one_line(error), secrets) or "no reason given", **known)


def first_of(groups: Sequence[Sequence[int]]) -> dict[int, int]:
    """What an answer says for each of the key's classes: the first of its group."""
    return {member: group[0] for group in groups for member in group}


def question_digest(sample: torch.Tensor | str) -> str:
    """SHA-256, in hexadecimal, of one sample as it is asked; no kind is taken for another.

    Of an image C, H and W as uint32 and its bytes; of a text 0, 0 and 1 as uint32 and its UTF-8; of
    a clip 0, 0 and 2 as uint32 and its values as int16. Integers are little-endian.

    Args:
        sample: a (C, H, W) uint8 image, a text, or an (L,) int16 clip.
    """
    if isinstance(sample, str):
        return hashlib.sha256(struct.pack("<3I", 0, 0, 1) + sample.encode()).hexdigest()
    values = sample.contiguous().numpy()
    clip = sample.dtype == torch.int16
    head = struct.pack("<3I", *((0, 0, 2) if clip else values.shape))
    return hashlib.sha256(head + (values.astype("<i2") if clip else values).tobytes()).hexdigest()


def one_line(text: str, limit: int = 200) -> str:
    """Text from a stranger as one printable line of at most ``limit`` characters.

    Control and format characters go: they could move a terminal's cursor, hide text or turn it.
    """
    text = " ".join(text[: 10 * limit].split())
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def kind_of(samples: Any) -> str:
    """What a batch of samples is: "image", "text" or "audio".

    Raises:
        Misfit: it is none of these, or not in the dataset's form.
    """
    if isinstance(samples, list) and all(isinstance(sample, str) for sample in samples):
        return "text"
    if isinstance(samples, torch.Tensor):
        if samples.ndim == 4 and samples.dtype == torch.uint8 and samples.shape[1] in (1, 3):
            return "image"
        if samples.ndim == 2 and samples.dtype == torch.int16:
            return "audio"
        found = f"{tuple(samples.shape)} {samples.dtype}"
    else:
        found = f"a {type(samples).__name__}"
    raise Misfit(
        f"samples are {found}: give (N, 1 or 3, H, W) uint8 images, a list of texts, or (N, L) "
        "int16 clips"
    )


def check_kind(samples: Any, wanted: str, name: str) -> None:
    """Check that a suspect takes such samples.

    Args:
        samples: a batch.
        wanted: what it takes, as :func:`kind_of` says.
        name: the suspect's.

    Raises:
        Misfit: it does not, or the samples are not in the dataset's form.
    """
    found = kind_of(samples)
    if found != wanted:
        raise Misfit(
            f"{name} takes {wanted}, but the questions are {found}: choose a suspect of the same "
            "kind of data, or declare what it takes in input.encoding"
        )
