"""UBW's watermarks, from what the paper fixes and what the scale sets."""

from typing import Any

import torch

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.randomness import derive_seed, generator
from datadeed.triggers.image import SQUARE
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.registry import build_watermark
from tasks.common import parameters

UBW = "papers/ubw/params.yaml"


def build(dataset: str, watermark: str, source: DatasetFile) -> Watermark:
    """The watermark that UBW's parameters call ``watermark``, for this dataset.

    Raises:
        ParameterError: an entry is missing.
        WatermarkError: an entry makes no sense for the dataset.
    """
    values = dict(parameters("watermarks", watermark, file=UBW))
    method, size = values.pop("method"), tuple(source.shape[1:])
    square, target = parameters("patterns", dataset, file=UBW), parameters("target", file=UBW)
    seed = derive_seed(parameters("seed"), "poison", dataset, watermark)
    values["rate"] = poison_rate(dataset, watermark)
    if method in ("badnets", "blended"):
        values |= {"pattern": square, "image_size": size, "target": target}
    elif method == "ubw-p":
        values |= {"pattern": square, "image_size": size, "classes": len(source.classes)}
    elif method == "wanet":
        values |= {"image_size": size, "target": target, "seed": seed}
    elif method == "label-consistent":
        values |= {"image_size": size, "target": target, "size": square["size"]}
        values |= crafting(dataset, watermark)
    elif method in ("sleeper-agent", "ubw-c"):
        scaled = crafting(dataset, watermark)
        values |= scaled | {"matching": {**scaled.get("matching", {}), **values["matching"]}}
        values |= {"seed": seed, "cells": SQUARE}  # scaled to the patch, so its edges are grey
        if method == "sleeper-agent":
            values |= {"target": target, "cells": binary_cells(values["size"], seed)}
    return build_watermark(method, **values)


def poison_rate(dataset: str, watermark: str) -> float:
    """The share of all rows that get a mark."""
    exceptions = parameters("poison_rates", file=UBW).get(dataset, {})
    rate: float = exceptions.get(watermark, parameters("poison_rate", file=UBW))
    return rate


def crafting(dataset: str, watermark: str) -> dict[str, Any]:
    """The scale's own values for a watermark that is crafted."""
    return dict(parameters("ubw", "crafting", dataset, watermark))


def binary_cells(size: int, seed: int) -> list[list[int]]:
    """Sleeper Agent's trigger: (size, size) cells, black or white, drawn by the seed."""
    draw = generator(seed, "cells")
    rows: list[list[int]] = (torch.randint(0, 2, (size, size), generator=draw) * 255).tolist()
    return rows
