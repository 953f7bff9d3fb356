"""Finished inversions on disk, so that a run that was killed goes on where it stopped."""

from pathlib import Path

import torch

from datadeed.datasets.form.parquet import read_dataset, write_dataset
from datadeed.errors import DatadeedError
from datadeed.files import read_json, write_json
from datadeed.thieves.inversion.pictures import Pictures


def keep(pictures: Pictures, path: Path) -> None:
    """Write ``path.parquet``, and then ``path.json``: an inversion with both is complete."""
    write_dataset(pictures.data, path.with_suffix(".parquet"))
    rated = {"activation": pictures.activation.tolist(), "agreement": pictures.agreement.tolist()}
    write_json(path.with_suffix(".json"), rated)


def kept(path: Path) -> Pictures | None:
    """What :func:`keep` wrote; None where there is nothing, or nothing whole."""
    if not path.with_suffix(".json").exists():
        return None
    try:
        rated = read_json(path.with_suffix(".json"))
        data = read_dataset(path.with_suffix(".parquet"))
        found = Pictures(data, torch.tensor(rated["activation"]), torch.tensor(rated["agreement"]))
    except (DatadeedError, KeyError, TypeError, ValueError):
        return None
    return found if len(found.activation) == len(found.agreement) == len(data) else None
