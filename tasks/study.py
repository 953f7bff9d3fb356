"""Stage ``study``: an experiment of a paper that is not one cell's questions and tests.

``python -m tasks.study PAPER NAME [WORDS...]`` runs ``papers/PAPER/NAME.py``, which writes its own
results. One that gives rows is a study of a cell: its words are the cell's names, and its rows go
to ``data/cells/PAPER/DATASET-NETWORK-WATERMARK-SEED-NAME.csv``.
"""

import argparse

from papers.base import Case
from tasks.cases import paper_module
from tasks.cells import write_cells
from tasks.common import stage
from tasks.lab import Lab


def run(paper: str, name: str, *words: str) -> None:
    """Run the experiment, and write its rows if it gives any."""
    study, lab = paper_module(paper, name), Lab(paper)
    rows = study.run(lab, *words)
    if rows is not None:
        dataset, network, watermark, seed = words
        write_cells(rows, Case(dataset, network, watermark, int(seed)), study, lab)


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paper")
    parser.add_argument("name")
    parser.add_argument("words", nargs="*")
    values = parser.parse_args()
    run(values.paper, values.name, *values.words)


if __name__ == "__main__":
    main()
