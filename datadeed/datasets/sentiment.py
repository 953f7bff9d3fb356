"""The four tables of Hutto and Gilbert's study of sentiment (ICWSM 2014), as datasets.

The source package vaderSentiment 0.5 carries them under the MIT licence: one sentence a line, with
its number and the mean of 20 people's ratings from -4 to 4.
"""

import functools
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datadeed.datasets.download import python_source
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.texts import text_blocks
from datadeed.datasets.places import Place, Request, Splits, first
from datadeed.errors import DatasetError, reason

NAME, VERSION = "vaderSentiment", "0.5"
SDIST = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
ARCHIVE = "hutto_ICWSM_2014.tar.gz"
ARCHIVE_DIGEST = "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa"
FOLDER = "hutto_ICWSM_2014"
# By source: the table and its SHA-256. All are UTF-8 with CRLF.
TABLES = {
    "amazon": (
        "amazonReviewSnippets_GroundTruth.txt",
        "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2",
    ),
    "movie": (
        "movieReviewSnippets_GroundTruth.txt",
        "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
    ),
    "nyt": (
        "nytEditorialSnippets_GroundTruth.txt",
        "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e",
    ),
    "twitter": (
        "tweets_GroundTruth.txt",
        "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f",
    ),
}
_SHARE = 5  # a fifth of the sentences is for testing
_CORRUPT = (OSError, EOFError, KeyError, tarfile.TarError, zipfile.BadZipFile)


class Sentence(NamedTuple):
    """One line of a table: its number or "article_sentence", mean rating from -4 to 4, text."""

    name: str
    rating: float
    text: str


class Row(NamedTuple):
    """One row of a dataset: its number in the tables, its sentence, class and source."""

    number: int
    sentence: Sentence
    label: int
    source: str


def open_tables(
    title: str, request: Request, rows_of: Callable[[Path], list[Row]], classes: tuple[str, ...]
) -> Splits:
    """Both splits of a dataset that is made from the tables.

    They are looked for as the package's archive, as what is in it, and as what is in that; else the
    package comes from pip.

    Args:
        title: the source's name.
        request: what is asked for.
        rows_of: the rows, of a place for :func:`sentences`.
        classes: the class names, in label order.
    """

    def splits(path: Path) -> Splits:
        return _splits(rows_of(path), classes)

    def from_pip() -> Splits:
        return splits(python_source(NAME, VERSION, sha256=SDIST, folder=request.cache))

    found = request.candidates(FOLDER, ARCHIVE, f"{NAME}-{VERSION}.zip")
    places: list[Place] = [
        (str(path), functools.partial(splits, path))
        for path in found
        if path.name in (FOLDER, ARCHIVE) or path.suffix == ".zip" or _has_tables(path)
    ]
    return first(title, [*places, ("pip", from_pip)])


def _has_tables(path: Path) -> bool:
    return any((path / name).is_file() for name, _ in TABLES.values())


def _splits(rows: Sequence[Row], classes: tuple[str, ...]) -> Splits:
    """The rows as two splits; which of them a row is in depends on nothing but itself."""
    parts: dict[str, list[Row]] = {"train": [], "test": []}
    for row in rows:
        parts["test" if _tests(row) else "train"].append(row)
    splits = {}
    for name, part in parts.items():
        labels = np.array([row.label for row in part], dtype=np.int64)
        index = np.array([row.number for row in part], dtype=np.int64)
        texts = iter([row.sentence.text for row in part])
        splits[name] = Blocks(len(part), text_blocks(texts, labels, index, classes))
    return splits


def _tests(row: Row) -> bool:
    """Whether a row is for testing.

    The hash of its article or review decides if the table names one, so that no article falls into
    both splits; else that of its text, so that no repeated sentence does.
    """
    article, found, _ = row.sentence.name.partition("_")
    whole = f"{row.source} {article if found else row.sentence.text}"
    return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:8], "big") % _SHARE == 0


def sentences(path: Path, source: str) -> list[Sentence]:
    """One of the tables.

    Args:
        path: a folder of tables, their archive, or the package's.
        source: a key of :data:`TABLES`.

    Raises:
        DatasetError: it is missing or damaged, or holds other bytes than were published.
    """
    name, digest = TABLES[source]
    try:
        table = _checked(_read(path, name), digest, f"{path} ({name})").decode()
    except _CORRUPT as error:
        raise DatasetError(f"{path} has no readable {name} ({reason(error)})") from error
    rows = (line.split("\t") for line in table.split("\r\n") if line)
    return [Sentence(number, float(rating), text.strip()) for number, rating, text in rows]


def _read(path: Path, name: str) -> bytes:
    """A table's bytes. Archives are checked before they are opened; nothing is unpacked to disk."""
    if path.is_dir():
        return (path / name).read_bytes()
    packed = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(_checked(packed, SDIST, path))) as package:
            packed = package.read(f"{NAME}-{VERSION}/additional_resources/{ARCHIVE}")
    with tarfile.open(fileobj=io.BytesIO(_checked(packed, ARCHIVE_DIGEST, path))) as archive:
        member = archive.extractfile(f"{FOLDER}/{name}")
        assert member is not None  # the archive is the published one
        return member.read()


def _checked(data: bytes, digest: str, where: object) -> bytes:
    if hashlib.sha256(data).hexdigest() != digest:
        raise DatasetError(f"{where} holds other bytes than were published")
    return data
