"""Never pay for the same question twice."""

import torch

from datadeed.owner.suspects.base import Answer, Suspect, question_digest


class Cached:
    """A suspect that remembers its answers by image. Failed ones are not remembered.

    Attributes:
        inner: the suspect that is asked.
        from_cache: how many answers were remembered ones.
    """

    def __init__(self, inner: Suspect):
        self.inner, self.from_cache = inner, 0
        self.name, self.classes, self.kind = inner.name, inner.classes, inner.kind
        self.protocol, self.endpoint = inner.protocol, inner.endpoint
        self._answers: dict[str, Answer] = {}

    def predict(self, images: torch.Tensor) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`; equal images are asked once."""
        digests = [question_digest(image) for image in images]
        first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
        rows = sorted(row for digest, row in first.items() if digest not in self._answers)
        new = self.inner.predict(images[rows]) if rows else []
        asked = {digests[row]: answer for row, answer in zip(rows, new, strict=True)}
        self.from_cache += len(digests) - len(rows)
        self._answers |= {digest: answer for digest, answer in asked.items() if not answer.failed}
        return [asked.get(digest) or self._answers[digest] for digest in digests]

    def fingerprint(self) -> str:
        """Of the suspect that is asked."""
        return self.inner.fingerprint()

    def close(self) -> None:
        """Close the suspect that is asked; its answers stay."""
        self.inner.close()
