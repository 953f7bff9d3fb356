"""SST-2: sentences of film reviews, negative or positive."""

from datadeed.datasets import published_texts
from datadeed.datasets.places import Request, Splits

OPTIONS = published_texts.OPTIONS
_FOLDERS = ("sst2",)


def open_source(request: Request) -> Splits:
    """Both splits, from local folders."""
    return published_texts.open_published("sst2", request, *_FOLDERS)
