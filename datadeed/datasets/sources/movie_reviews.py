"""Sentences from film reviews: 5,076 negative and 4,996 positive."""

from pathlib import Path

from datadeed.datasets.places import Request, Splits
from datadeed.datasets.sentiment import Row, open_tables, sentences

OPTIONS = frozenset({"path"})
# A sentence rated nearer to 0 counts as neutral: 10,072 of the 10,605 of movie reviews are left.
NEUTRAL = 0.5


def open_source(request: Request) -> Splits:
    """Both splits."""
    return open_tables("movie-reviews", request, _rows, ("negative", "positive"))


def _rows(path: Path) -> list[Row]:
    return [
        Row(number, sentence, int(sentence.rating > 0), "movie")
        for number, sentence in enumerate(sentences(path, "movie"))
        if abs(sentence.rating) >= NEUTRAL
    ]
