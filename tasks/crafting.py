"""What the stages that compute a watermark against a surrogate share."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import datadeed
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.files import canonical_digest
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.stored import load_model
from datadeed.randomness import generator
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.marking import Marks
from tasks.common import DATA, Progress, parameters
from tasks.poison import release

PACKAGE = Path(datadeed.__file__).parent


class Steps:
    """A bar that learns the number of steps with the first one."""

    def __init__(self, text: str):
        self._text = text
        self._bar: Progress | None = None

    def __call__(self, done: int, total: int, note: str, resumed: bool) -> None:
        """``done`` of ``total`` steps are done."""
        if self._bar is None:
            self._bar = Progress(total, "steps", self._text)
        self._bar.update(done, note, resumed=resumed)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()


def load_surrogate(dataset: str, kind: type[Model]) -> tuple[Model, str]:
    """The dataset's surrogate, and the SHA-256 of its weights."""
    folder = DATA / "models" / f"{dataset}-surrogate-none-0"
    model = load_model(folder, choose_device(os.environ.get("DATADEED_DEVICE", "auto")), kind)
    return model, hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def craft_and_release(
    stage: str,
    method: Any,
    source: DatasetFile,
    names: tuple[str, str],
    *,
    surrogate: Surrogate | None,
    identity: dict[str, Any],
    **tools: Any,
) -> tuple[Dataset, Marks, Path]:
    """Craft a watermark and write what stage ``poison`` writes.

    What is finished of the crafting is kept until all of it is, for the next start with the same
    data and settings.

    Args:
        stage: the stage's name, of which its random numbers are derived.
        method: the watermark; crafted on return.
        source: the benign data.
        names: of the dataset and of the watermark.
        surrogate: the model to craft against, if the method needs one.
        identity: what else the crafting depends on, for a checkpoint to be told from another's.
        tools: further arguments of the method's ``craft``.

    Returns:
        The benign data, the marks, and the folder that was written to.
    """
    name, drawn = (
        "-".join(names),
        names[1].removesuffix("-plain"),
    )  # an ablation draws the same rows
    run_seed = (parameters("seed"), stage, names[0], drawn)
    data = read_dataset(source.path)
    identity = identity | {
        "code": code_digest(),
        "data": data.digest(),
        "watermark": method.record(),
        "seed": run_seed,
    }
    fingerprint = canonical_digest(identity)
    folder = DATA / "checkpoints" / name
    steps = Steps(f"{stage} {name}")
    method.craft(
        data,
        surrogate,
        generator(*run_seed),
        checkpoint=folder / fingerprint[:16],
        fingerprint=fingerprint,
        on_progress=steps,
        **tools,
    )
    steps.close()
    out = DATA / "watermarked" / name
    marks = release(method, source, *names, out)
    return data, marks, out


def code_digest() -> str:
    """SHA-256 of the code that crafts: what another version began is not gone on with."""
    folders = ("language", "models", "perturbations", "watermarks")
    files = sorted(file for name in folders for file in (PACKAGE / name).glob("*.py"))
    return canonical_digest([[file.name, file.read_text(encoding="utf-8")] for file in files])


def forget_checkpoints(dataset: str, watermark: str) -> None:
    """Remove what was kept of a crafting, also that with other settings, never finished."""
    shutil.rmtree(DATA / "checkpoints" / f"{dataset}-{watermark}", ignore_errors=True)
