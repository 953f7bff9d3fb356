"""DBpedia: first paragraphs of Wikipedia, of fourteen kinds of things."""

from datadeed.datasets import published_texts
from datadeed.datasets.places import Request, Splits

OPTIONS = published_texts.OPTIONS
_FOLDERS = ("dbpedia14", "dbpedia_14", "dbpedia_14/dbpedia_14")


def open_source(request: Request) -> Splits:
    """Both splits, from local folders."""
    return published_texts.open_published("dbpedia", request, *_FOLDERS)
