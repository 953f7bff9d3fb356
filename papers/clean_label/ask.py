"""What a victim, and an honest model of the same network and seed, say to every test sample."""

import dataclasses

import numpy as np
import pyarrow as pa

from datadeed.datasets.form.dataset import Dataset
from datadeed.verification import answers as asking
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.clean_label_text import CleanLabelText
from papers.base import Case, Lab


def ask(case: Case, lab: Lab) -> pa.Table:
    """Every answer, a row a sample and model.

    Returns:
        The columns of :class:`datadeed.verification.answers.Answers`; ``asked``, "victim" or
        "benign"; ``counted``, whether the trigger goes into the sample.
    """
    test = lab.test(case.dataset)
    method = lab.watermark(case.dataset, case.watermark)
    models = {"victim": case, "benign": dataclasses.replace(case, watermark="none")}
    counted, tables = pa.array(counts(method, test)), []
    with lab.progress(len(models), "models", "ask the models") as tell:
        for done, (part, named) in enumerate(models.items(), 1):
            table = asking.ask(lab.model(named), method, test).table()
            table = table.append_column("asked", pa.array([part] * len(table)))
            tables.append(table.append_column("counted", counted))
            tell(done, part)
    return pa.concat_tables(tables)


def counts(method: Watermark, test: Dataset) -> np.ndarray:
    """(N,) bool: a trigger that changes nothing is no query."""
    if isinstance(method, CleanLabelText):
        fits: np.ndarray = method.applies(test).numpy()
        return fits
    return np.ones(len(test), dtype=bool)
