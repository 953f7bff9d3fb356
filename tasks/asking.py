"""Asking several models about one test set, and keeping what they said."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import atomic_path
from datadeed.models.model import Model
from datadeed.verification.answers import Answers, ask
from datadeed.watermarks.base import Watermark
from tasks.common import Progress


def ask_all(models: Mapping[str, Model], method: Watermark, test: Dataset) -> dict[str, Answers]:
    """Each model's answers to all test samples, without and with the trigger."""
    progress, answers = Progress(len(models), "models", "ask the models"), {}
    for done, (part, model) in enumerate(models.items(), 1):
        answers[part] = ask(model, method, test)
        progress.update(done, part)
    progress.close()
    return answers


def write_answers(
    answers: Mapping[str, Answers], path: Path, *, counted: np.ndarray | None = None
) -> None:
    """All answers in one Parquet file; column ``asked`` names the model.

    Args:
        answers: each model's, to the same samples.
        path: of the file.
        counted: (N,) bool, whether the trigger goes into a sample, for a column of this name.
    """
    tables = []
    for part, found in answers.items():
        table = found.table().append_column("asked", pa.array([part] * len(found)))
        tables.append(
            table if counted is None else table.append_column("counted", pa.array(counted))
        )
    with atomic_path(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)
