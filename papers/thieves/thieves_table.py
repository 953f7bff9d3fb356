"""All rows of ``league`` in one table, ``thieves.csv``; see :mod:`papers.thieves.league`."""

import pandas as pd

from datadeed.files import write_text
from papers.base import Lab


def run(lab: Lab) -> None:
    """Write the table."""
    datasets = lab.settings("thieves", "datasets")
    rows = [pd.read_csv(lab.results / f"thieves-{dataset}.csv") for dataset in datasets]
    write_text(lab.results / "thieves.csv", pd.concat(rows).to_csv(index=False))
