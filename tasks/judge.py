"""Stage ``judge``: what a paper's tests make of one cell's answers, a row a number.

Writes ``data/cells/PAPER/DATASET-NETWORK-WATERMARK-SEED.csv``. Needs no model.
"""

from papers.base import Case
from tasks.cases import case_arguments, paper_module
from tasks.cells import write_cells
from tasks.common import DATA, stage
from tasks.records import Records, read_table


def run(paper: str, case: Case) -> None:
    """Judge, and write the rows."""
    answers = read_table(DATA / "answers" / f"{case}.parquet", "answers")
    judge, records = paper_module(paper, "judge"), Records(paper)
    write_cells(judge.judge(answers, case, records), case, judge, records)


@stage
def main() -> None:
    """Command line."""
    run(*case_arguments(__doc__))


if __name__ == "__main__":
    main()
