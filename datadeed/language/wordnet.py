"""Synonyms from WordNet's own files (wndb(5WN)), read where they lie.

The files are mapped, not loaded: a word is found by bisection in the sorted index, its senses by
the byte offsets there.
"""

import functools
import hashlib
import mmap
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from datadeed.datasets.download import LOCAL, debian_package, local_folders
from datadeed.errors import DatadeedError, DatasetError, FetchError
from datadeed.files import atomic_folder

SYSTEM = Path("/usr/share/wordnet")
PARTS = ("noun", "verb", "adj", "adv")
# SHA-256 of the files of WordNet 3.0 as Debian builds them: another version has other synonyms.
WORDNET = {
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
    "index.verb": "e2ac24816c3a8289dcb72aaa9cf8db81fdf25ec34d792bfc96ac5b7a20c8b4ae",
    "index.adj": "c9865d7b4d1f805bdef82ccdcea5282436e23083e6f6f1b33e716327c4eda810",
    "index.adv": "6f5465ed5758fe9c8a2f7ec17b1300f3aa875756c70ff7cba162f7e71bcf88ea",
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "data.verb": "adcf43e35b581e8036d8b5a52d63d9cd3d3b4870b2720d3c03c799df44777bc2",
    "data.adj": "c89120dfc1f046ddff4a631bf9b7e9fa1a36b5e86565a23bf82dbe14f30b88a7",
    "data.adv": "444a63bf3955080ab7524f5079cfc07ff9bc682cb98bdb1db73b0fb9829f1139",
}


class Synonyms(Protocol):
    """Whatever knows synonyms: :class:`WordNet`, or a table made by hand."""

    def synonyms(self, lemma: str, part_of_speech: str) -> tuple[str, ...]:
        """Words that may stand for ``lemma``, the likeliest first."""


class WordNet:
    """A folder with WordNet's ``index.*`` and ``data.*`` of nouns, verbs, adjectives and adverbs.

    Args:
        folder: where they are; not compared with :data:`WORDNET` (:func:`load_wordnet` does).

    Raises:
        DatasetError: a file is missing or empty.
    """

    def __init__(self, folder: str | Path):
        self._index = {part: _map(Path(folder) / f"index.{part}") for part in PARTS}
        self._data = {part: _map(Path(folder) / f"data.{part}") for part in PARTS}
        self._found = functools.cache(self._synonyms)

    def synonyms(self, lemma: str, part_of_speech: str) -> tuple[str, ...]:
        """Single words that share a sense with ``lemma``; the commonest sense's come first.

        Args:
            lemma: the word's base form, in any case.
            part_of_speech: "noun", "verb", "adj" or "adv".

        Returns:
            As WordNet spells them, each once, without ``lemma`` itself; none if it is unknown.

        Raises:
            KeyError: there is no such part of speech.
            DatasetError: the index names a place in the data where no sense begins.
        """
        return self._found(lemma.lower(), part_of_speech)

    def _synonyms(self, lemma: str, part: str) -> tuple[str, ...]:
        words = (word for offset in self._senses(lemma, part) for word in self._words(offset, part))
        return tuple(
            dict.fromkeys(word for word in words if "_" not in word and word.lower() != lemma)
        )

    def _senses(self, lemma: str, part: str) -> list[int]:
        """Offsets of the lemma's senses, by falling frequency."""
        index, key = self._index[part], lemma.replace(" ", "_").encode()
        low, high = 0, len(index)  # of the first line that is not below the key
        while low < high:
            start = index.rfind(b"\n", low, (low + high) // 2) + 1 or low
            line = _line(index, start)
            # The licence's lines begin with a space, which sorts before every word.
            if line.split(b" ", 1)[0] < key:
                low = start + len(line) + 1
            else:
                high = start
        fields = _line(index, low).split()
        if not fields or fields[0] != key:
            return []
        return [int(offset) for offset in fields[-int(fields[2]) :]]

    def _words(self, offset: int, part: str) -> Iterator[str]:
        """The words of one sense, in WordNet's order."""
        line = _line(self._data[part], offset)
        fields = line.split(b" | ", 1)[0].split()
        if not fields or not fields[0].isdigit() or int(fields[0]) != offset:
            raise DatasetError(
                f"WordNet's data.{part} has no sense at byte {offset}, which its index names: "
                "install it anew"
            )
        for k in range(int(fields[3], 16)):
            # An adjective may carry its position, as in "galore(ip)".
            yield fields[4 + 2 * k].decode().split("(", 1)[0]


def load_wordnet(cache: Path) -> WordNet:
    """WordNet 3.0, from the first place that has it; fetched from Debian's package if none has.

    Looked for in the folders that ``DATADEED_DATA`` names (in ``wordnet`` there, or there itself),
    in ``cache``, and where Debian installs it.

    Args:
        cache: the folder for downloads; the files go into ``wordnet`` there.

    Raises:
        FetchError: no place has it; the line names each and why.
    """
    own, failures = cache / "wordnet", []
    local = [place for base in local_folders() for place in (base / "wordnet", base)]
    for folder in [place for place in [*local, own, SYSTEM] if (place / "index.noun").is_file()]:
        try:
            return _checked(folder)
        except (DatadeedError, OSError) as error:
            failures.append(str(error))
    try:
        _fetch(own)
        return _checked(own)
    except (DatadeedError, OSError) as error:
        failures.append(f"Debian's package ({str(error)[:200]})")
    raise FetchError(
        f"WordNet 3.0 was not found; tried: {'; '.join(failures)}; install Debian's wordnet-base, "
        f"or name a folder that holds its files in {LOCAL}"
    )


def _checked(folder: Path) -> WordNet:
    """WordNet in a folder, compared with the published files."""
    for name, wanted in WORDNET.items():
        path = folder / name
        if not path.is_file():
            raise DatasetError(f"{folder} has no {name}")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                raise DatasetError(f"{path} is not of WordNet 3.0 as Debian builds it")
    return WordNet(folder)


def _fetch(folder: Path) -> None:
    """Put the package's eight files into a folder, all or none."""
    with (
        tempfile.TemporaryDirectory(prefix="datadeed-") as temporary,
        atomic_folder(folder, keep=True) as new,
    ):
        debian_package("wordnet-base", Path(temporary))
        for name in WORDNET:
            (new / name).unlink(missing_ok=True)
            shutil.copyfile(Path(temporary) / SYSTEM.relative_to("/") / name, new / name)


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}): install WordNet anew") from error


def _line(file: mmap.mmap, start: int) -> bytes:
    """The line that begins at ``start``, without its end; empty past the file's end."""
    end = file.find(b"\n", start)
    return file[start : len(file) if end < 0 else end]
