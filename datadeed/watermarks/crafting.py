"""Crafting a watermark so that a kill loses little: for the pipeline and for owners.

A crafting takes minutes to hours. What is finished is kept in a folder, under a fingerprint of all
that decides the result; state of another fingerprint is never gone on with.
"""

import hashlib
from pathlib import Path

import torch

import datadeed
from datadeed.datasets.form.dataset import Dataset
from datadeed.files import canonical_digest
from datadeed.models.model import Model
from datadeed.models.training.config import config_record
from datadeed.randomness import generator
from datadeed.watermarks.crafted import Crafted, OnProgress, Surrogate

PACKAGE = Path(datadeed.__file__).parent
ROOMS = ("language", "triggers", "models", "perturbations", "watermarks")


def craft(
    method: Crafted,
    data: Dataset,
    surrogate: Surrogate | None,
    draws: tuple[int, *tuple[str, ...]],
    folder: Path,
    *,
    several: bool = False,
    on_progress: OnProgress = lambda done, total, note, resumed: None,
) -> None:
    """Compute the marked samples of a watermark, or go on where an earlier call was killed.

    Args:
        method: the watermark, with its tools loaded; crafted on return, and knows its facts.
        data: the whole benign dataset.
        surrogate: the model to craft against; None where the method needs none.
        draws: seed and names of the generator.
        folder: keeps what is finished; to be removed by the caller when the result is written.
        several: whether it may hold several craftings side by side. Otherwise one with other data
            or settings is refused while the folder is there.
        on_progress: as :meth:`datadeed.watermarks.crafted.Crafted.craft` calls it.

    Raises:
        WatermarkError: the surrogate or the data do not suit the method.
        CheckpointError: the state is damaged, or of another crafting.
    """
    fingerprint = _fingerprint(method, data, surrogate, draws)
    method.craft(
        data,
        surrogate,
        generator(*draws),
        checkpoint=folder / fingerprint[:16] if several else folder,
        fingerprint=fingerprint,
        on_progress=on_progress,
    )


def _fingerprint(
    method: Crafted, data: Dataset, surrogate: Surrogate | None, draws: tuple[object, ...]
) -> str:
    """Names a crafting; the number of threads decides the order of sums."""
    identity = {
        "code": code_digest(),
        "data": data.digest(),
        "watermark": method.record(),
        "draws": list(draws),
        "threads": torch.get_num_threads(),
    }
    if surrogate is not None:
        identity["surrogate"] = _weights_digest(surrogate.model)
        identity["training"] = config_record(surrogate.training)
    return canonical_digest(identity)


def code_digest() -> str:
    """SHA-256 of the code that crafts: what another version began is not gone on with."""
    files = sorted(file for room in ROOMS for file in (PACKAGE / room).rglob("*.py"))
    return canonical_digest(
        [[str(file.relative_to(PACKAGE)), file.read_text(encoding="utf-8")] for file in files]
    )


def _weights_digest(model: Model) -> str:
    """SHA-256, in hexadecimal, of a model's weights by name."""
    sha = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
