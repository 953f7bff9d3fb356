"""All rows of ``second`` in one table, ``second.csv``; see :mod:`papers.proof.second`."""

import pandas as pd

from datadeed.files import write_text
from papers.base import Lab
from papers.proof.second import folder


def run(lab: Lab) -> None:
    """Write the table."""
    rows = pd.concat([pd.read_csv(path) for path in sorted(folder(lab).glob("*.csv"))])
    write_text(lab.results / "second.csv", rows.to_csv(index=False, float_format="%.6g"))
