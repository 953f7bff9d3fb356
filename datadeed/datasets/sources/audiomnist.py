"""AudioMNIST, of sixty speakers, from a local folder.

The publisher's folder has no splits: it is split by speaker, as its authors do.
"""

from datadeed.datasets.places import Request, Splits
from datadeed.datasets.recordings import VIEW, recordings

OPTIONS = VIEW | {"path"}
# The first of the five published folds; its validation speakers are trained on here.
TEST = frozenset({5, 13, 18, 22, 26, 32, 33, 42, 45, 51, 52, 60})


def open_source(request: Request) -> Splits:
    """Both splits."""

    def is_test(speaker: str, take: int) -> bool:
        return speaker.isdecimal() and int(speaker) in TEST

    return recordings(request, "audiomnist", ("audiomnist", "AudioMNIST"), is_test)
