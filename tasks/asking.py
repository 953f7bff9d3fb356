"""Asking several models about one test set, and keeping what they said."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets import Dataset
from datadeed.files import atomic_path
from datadeed.models import Model
from datadeed.verification.answers import Answers, ask
from datadeed.watermarks import Watermark
from tasks.common import Progress


def ask_all(models: Mapping[str, Model], method: Watermark, test: Dataset) -> dict[str, Answers]:
    """Each model's answers to all test samples, without and with the trigger."""
    progress, answers = Progress(len(models), "models", "ask the models"), {}
    for done, (part, model) in enumerate(models.items(), 1):
        answers[part] = ask(model, method, test)
        progress.update(done, part)
    progress.close()
    return answers


def write_answers(answers: Mapping[str, Answers], path: Path) -> None:
    """All answers in one Parquet file; column ``asked`` names the model."""
    tables = [
        found.table().append_column("asked", pa.array([part] * len(found)))
        for part, found in answers.items()
    ]
    with atomic_path(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)
