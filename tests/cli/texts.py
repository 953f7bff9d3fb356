"""A small owner's world of texts, in any format."""

from dataclasses import dataclass
from pathlib import Path

from tests.cli.test_watermark_texts import write
from tests.cli.world import World

ROWS, POOL = 200, 100


def rows(n: int, first: int = 0) -> list[tuple[str, str]]:
    """Texts, all different, and their classes."""
    return [
        (f"A film of kind {row % 10} , seen {row} times . It <b>ended</b> .", f"k{row % 10}")
        for row in range(first, first + n)
    ]


@dataclass(frozen=True)
class TextWorld(World):
    """As :class:`World`; ``format`` is the suffix of both files."""

    format: str = "csv"
    carrier: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        return self.root / f"reviews.{self.format}"

    @property
    def pool(self) -> Path:
        return self.root / f"pool.{self.format}"

    def make(self) -> "TextWorld":
        write(self.source, rows(ROWS))
        write(self.pool, rows(POOL, first=1000))
        return self
