"""A marked copy and its secret are written together, so that no copy is without one."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.keys.key import Extent
from datadeed.keys.sealing import write_secret
from datadeed.owner.data import measure, open_data
from datadeed.owner.protect_samples import Original, Samples
from datadeed.owner.release.edits import Manner, Release
from datadeed.owner.release.release import release
from datadeed.randomness import derive_seed
from datadeed.watermarks.base import Watermark

FORM = "datadeed/watermark/1"


@dataclass(frozen=True)
class Secret:
    """A secret file.

    Attributes:
        path: the file.
        passphrase: seals it.
        value: what the owner must keep.
    """

    path: Path
    passphrase: str | None
    value: dict[str, Any]

    def write(self, forbidden: Path) -> None:
        """Write the file, which may not lie in ``forbidden``."""
        write_secret(self.path, self.value, self.passphrase, forbidden=forbidden)


def secret_value(
    watermark: Watermark, positions: torch.Tensor, original: Original, seed: int, extent: Extent
) -> dict[str, Any]:
    """What the owner must keep, as far as it is known before the copy is written."""
    return {
        "form": FORM,
        "watermark": watermark.record(),
        "seed": seed,
        "split": original.name,
        "classes": list(original.data.classes),
        "data": dataclasses.asdict(extent),
        "marks": {
            "row": positions.tolist(),
            "label": original.data.labels[positions.numpy()].tolist(),
        },
        "reading": original.reading,
    }


def write_copy(
    out: Path,
    secret: Secret,
    samples: Samples,
    watermark: Watermark,
    positions: torch.Tensor,
    *,
    manner: Manner,
) -> tuple[Release, Extent]:
    """Write the secret, the copy, and the secret again with what is known of the copy.

    The secret comes first: a copy without one could never be claimed. Without a copy it goes.

    Args:
        out: the copy.
        secret: with :func:`secret_value`.
        samples: the rows.
        watermark: crafted, if it must be.
        positions: (M,) int64, ascending, the rows to mark.
        manner: of the release.
    """
    original, value = samples.original, secret.value
    edit, labels = samples.edit(watermark, positions)
    secret.write(out)
    try:
        with original.progress("write", original.data.rows) as advance:
            done = release(
                original.source,
                out,
                rows=positions.tolist(),
                edit=edit,
                generator=np.random.default_rng(derive_seed(value["seed"], "file names")),
                split=original.name,
                manner=manner,
                on_rows=advance,
                **original.reading,
            )
    except BaseException:
        secret.path.unlink()
        raise
    copy, _ = open_data(out, original.name, modality=None, **original.reading)
    released = measure(copy, "check the copy", progress=original.progress)[0]
    value["marks"]["released_label"] = labels
    value["released"] = {
        **dataclasses.asdict(released),
        "max_difference": done.max_difference,
        "mark_difference": done.mark_difference,
    }
    secret.write(out)
    return done, released
