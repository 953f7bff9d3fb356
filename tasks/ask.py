"""Stage ``ask``: put a paper's questions to the suspects of one cell, and keep every answer.

Writes ``data/answers/DATASET-NETWORK-WATERMARK-SEED.parquet``.
"""

import pyarrow.parquet as pq

from datadeed.files import atomic_path
from papers.base import Case
from tasks.cases import case_arguments, paper_module
from tasks.common import DATA, stage
from tasks.lab import Lab


def run(paper: str, case: Case) -> None:
    """Ask, and write the answers."""
    answers = paper_module(paper, "ask").ask(case, Lab(paper))
    with atomic_path(DATA / "answers" / f"{case}.parquet") as path:
        pq.write_table(answers, path)


@stage
def main() -> None:
    """Command line."""
    run(*case_arguments(__doc__))


if __name__ == "__main__":
    main()
