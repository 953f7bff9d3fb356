"""Seeds for generators that are passed around; nothing seeds the global state."""

import hashlib

import torch


def derive_seed(seed: int, *names: object) -> int:
    """A 63-bit seed for one purpose, from the run's seed and the purpose's names.

    Different names give independent streams, so adding a stage changes no other stage's numbers.
    A name may be a file's whose bytes are no text, which Python spells with lone surrogates.
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *names: object) -> torch.Generator:
    """A CPU ``torch.Generator`` seeded by :func:`derive_seed`."""
    return torch.Generator().manual_seed(derive_seed(seed, *names))
