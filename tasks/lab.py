"""The pipeline's artifacts, models among them, as :class:`papers.base.Lab` gives them."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.stored import load_model
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.registry import watermark_from_record
from papers.base import Case
from tasks.common import DATA, parameters, set_threads
from tasks.mark import build
from tasks.progress import Progress
from tasks.records import Records


class Lab(Records):
    """Reads what stages wrote; see :class:`papers.base.Lab`. Fixes the number of CPU threads.

    Args:
        paper: the folder whose ``params.yaml`` is meant.
    """

    def __init__(self, paper: str):
        super().__init__(paper)
        set_threads()
        self.results = Path(parameters("results"))
        self.studies, self.checkpoints = DATA / "studies" / paper, DATA / "checkpoints"
        self.figures = Path("papers") / paper
        self.device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))

    def watermark(self, dataset: str, watermark: str) -> Watermark:
        """The watermark of a marked set."""
        return watermark_from_record(self.record(dataset, watermark)["watermark"])

    def build(self, dataset: str, watermark: str, **changed: Any) -> Watermark:
        """The watermark that the paper's parameters describe, but for what is changed."""
        return build(self.paper, dataset, watermark, self.test_file(dataset), **changed)

    def model(self, case: Case) -> Model:
        """A trained model."""
        return self._load(self.folder(case))

    def last_surrogate(self, dataset: str, watermark: str) -> Model | None:
        """The surrogate that was trained last in crafting, if one was."""
        folder = DATA / "watermarked" / f"{dataset}-{watermark}" / "last-surrogate"
        return self._load(folder) if folder.exists() else None

    def _load(self, folder: Path) -> Model:
        return load_model(folder, self.device)

    @contextlib.contextmanager
    def progress(self, total: int, unit: str, text: str) -> Iterator[Callable[..., None]]:
        """Tell how far a long work is."""
        with contextlib.closing(Progress(total, unit, text)) as bar:
            yield bar.update
