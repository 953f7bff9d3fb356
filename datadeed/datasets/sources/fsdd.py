"""The Free Spoken Digit Dataset, of six speakers, from a local folder.

The publisher's folder has no splits: it is split by take, as its authors do, so the test speakers
are heard in training.
"""

from datadeed.datasets.places import Request, Splits
from datadeed.datasets.recordings import VIEW, recordings

OPTIONS = VIEW | {"path"}
TEST = range(5)  # takes


def open_source(request: Request) -> Splits:
    """Both splits."""
    names = ("fsdd", "free-spoken-digit-dataset")
    return recordings(request, "fsdd", names, lambda speaker, take: take in TEST)
