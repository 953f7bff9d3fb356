"""The carriers by name. Naming one imports that one alone."""

import pkgutil

import torch

from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.watermarks.carriers.base import Carrier, Pool

CARRIERS = {
    "patch": "datadeed.watermarks.carriers.patch:Patch",
    "mosaic": "datadeed.watermarks.carriers.mosaic:Mosaic",
    "grating": "datadeed.watermarks.carriers.grating:Grating",
    "cutout": "datadeed.watermarks.carriers.cutout:Cutout",
    "mixed": "datadeed.watermarks.carriers.mixed:Mixed",
    "chirps": "datadeed.watermarks.carriers.chirps:Chirps",
    "tones": "datadeed.watermarks.carriers.tones:Tones",
    "bands": "datadeed.watermarks.carriers.bands:Bands",
    "words": "datadeed.watermarks.carriers.words:Words",
    "clauses": "datadeed.watermarks.carriers.clauses:Clauses",
}


def carrier_of(key: Key, pool: Pool | None = None) -> Carrier:
    """What a key's triggers are; those of the first generation are patches.

    Args:
        key: of either generation.
        pool: images of :func:`pool_rows`, by row; None will do where there are none.
    """
    name = key.design.carrier["name"] if isinstance(key, Key2) else "patch"
    kind: type[Carrier] = pkgutil.resolve_name(CARRIERS[name])
    return kind(key, pool)  # type: ignore[arg-type]  # a patch needs no more than the first has


def pool_rows(key: Key) -> list[int]:
    """The rows of the pool whose images a key's triggers and decoys are made of: often none.

    Raises:
        WatermarkError: the pool has too few.
    """
    return carrier_of(key).pool_rows()


def pool_images(key: Key, samples: torch.Tensor) -> dict[int, torch.Tensor]:
    """The images of :func:`pool_rows`, of a pool in memory, (N, C, H, W) uint8."""
    return {row: samples[row : row + 1] for row in pool_rows(key)}
