"""What a server does to images and answers."""

from collections.abc import Iterator

from papers.thieves.entries import Entry
from papers.thieves.setting import Setting


def entries(setting: Setting) -> Iterator[Entry]:
    """None yet."""
    yield from ()
