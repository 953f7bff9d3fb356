"""IMDB: film reviews, negative or positive."""

from datadeed.datasets import published_texts
from datadeed.datasets.places import Request, Splits

OPTIONS = published_texts.OPTIONS
_FOLDERS = ("imdb", "imdb/plain_text")


def open_source(request: Request) -> Splits:
    """Both splits, from local folders."""
    return published_texts.open_published("imdb", request, *_FOLDERS)
