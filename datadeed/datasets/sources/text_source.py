"""Where a sentence was found.

Classes are uneven: 10,605 are from film reviews, 5,190 from newspaper editorials, 4,200 from tweets
and 3,708 from product reviews. The last are in small letters throughout.
"""

from pathlib import Path

from datadeed.datasets.places import Request, Splits
from datadeed.datasets.sentiment import TABLES, Row, open_tables, sentences

OPTIONS = frozenset({"path"})


def open_source(request: Request) -> Splits:
    """Both splits."""
    return open_tables("text-source", request, _rows, tuple(TABLES))


def _rows(path: Path) -> list[Row]:
    every = [
        (sentence, label, source)
        for label, source in enumerate(TABLES)
        for sentence in sentences(path, source)
    ]
    return [Row(number, *one) for number, one in enumerate(every)]
