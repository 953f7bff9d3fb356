"""The pictures, as one looks at them: a row an ensemble, a column a class; below, real images.

``python -m tasks.study ensemble_inversion figure DATASET NETWORK WATERMARK SEED`` writes
``papers/ensemble_inversion/DATASET.png``.
"""

import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.files import atomic_path
from datadeed.reports.figures import sheet_png
from papers.base import Case, Lab
from papers.ensemble_inversion import judge
from papers.ensemble_inversion.names import AIDED
from papers.ensemble_inversion.pool import pictures_file


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> None:
    """Write the figure of one case."""
    case = Case(dataset, network, watermark, int(seed))
    with atomic_path(lab.figures / f"{dataset}.png") as path:
        path.write_bytes(sheet(lab, case)[0])


def rows(lab: Lab, case: Case) -> list[str]:
    """What each row of the figure shows."""
    sizes = lab.params("sizes")
    names = ["one model", *(f"{size} models" for size in sizes)]
    if judge.aided(case, lab.settings()):
        names.append(f"{sizes[-1]} models{AIDED} images")
    return [*names, "real images"]


def sheet(lab: Lab, case: Case) -> tuple[bytes, tuple[int, int]]:
    """The figure as a PNG, and its width and height."""
    drawn, test = read_dataset(pictures_file(lab, case)), lab.test(case.dataset)
    count = len(drawn.classes)
    real = torch.stack(
        [test.samples[(test.labels == label).nonzero()[0, 0]] for label in range(count)]
    )
    return sheet_png([(part, None) for part in (*drawn.samples.split(count), real)])
