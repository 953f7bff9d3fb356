"""Text files: their compression, their encoding and their lines."""

import codecs
import contextlib
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from datadeed.errors import DatasetError, reason

_MARKS = {  # UTF-32's begins as UTF-16's does
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LINE_END = re.compile("\r\n|\r|\n")


class TextFile:
    """A text file in one encoding; one whose name ends in ``.gz`` is packed by gzip.

    Args:
        path: the file.
        encoding: option ``encoding``; UTF-8, or what a byte-order mark says, without it.

    Attributes:
        path: the file.
        mark: its byte-order mark; empty without one.
        encoding: a codec that neither reads nor writes a mark.

    Raises:
        DatasetError: the encoding is unknown, or is not that of the mark; or it is no gzip file.
    """

    def __init__(self, path: Path, encoding: str | None):
        self.path = path
        with self.reading() as file:
            head = file.read(4)
        self.mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
        asked = _codec(encoding)
        self.encoding = _MARKS[self.mark] if self.mark else asked or "utf-8"
        if self.mark and asked not in (None, self.encoding, _unmarked(self.encoding)):
            raise DatasetError(
                f"{path} begins with a mark of {self.encoding}, but option 'encoding' says "
                f"{encoding!r}: leave the option out"
            )
        if self.encoding in ("utf-16", "utf-32"):
            raise DatasetError(
                f"{path} has no byte-order mark: give 'encoding' as {self.encoding}-le or -be"
            )

    @contextlib.contextmanager
    def reading(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        """The file's bytes, unpacked.

        Raises:
            DatasetError: it is a damaged gzip file.
        """
        if not self._packed:
            with self.path.open("rb") as plain:
                yield plain
            return
        try:
            with gzip.open(self.path) as unpacked:
                yield unpacked
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DatasetError(
                f"{self.path} is no whole gzip file ({reason(error)}): fetch it again"
            ) from error

    @contextlib.contextmanager
    def writing(self, place: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
        """A new file for bytes, packed as this one is; a gzip header tells no name and no time."""
        with place.open("wb") as plain:
            if not self._packed:
                yield plain
                return
            with gzip.GzipFile("", "wb", fileobj=plain, mtime=0) as packed:
                yield packed

    @property
    def _packed(self) -> bool:
        return self.path.suffix.lower() == ".gz"

    def lines(self) -> Iterator[str]:
        """The lines with their ends (LF, CRLF or CR), decoded.

        Raises:
            DatasetError: the file is in another encoding; the line is named.
        """
        with self.reading() as file:
            file.seek(len(self.mark))
            try:
                with io.TextIOWrapper(file, self.encoding, newline="") as lines:
                    yield from lines
            except UnicodeError as error:
                raise self._misfit(error) from error

    def _misfit(self, error: UnicodeError) -> DatasetError:
        """What does not fit, and where; reads the whole file."""
        with self.reading() as file:
            data = file.read()[len(self.mark) :]
        line, good, bad = 1, 0, 0
        try:
            data.decode(self.encoding)
        except UnicodeDecodeError as found:
            start = data[: found.start].decode(self.encoding, "ignore")
            line, error = 1 + len(_LINE_END.findall(start)), found
        if self.encoding == "utf-8":
            for one in data.split(b"\n"):
                fits = one.decode("utf-8", "ignore").encode() == one
                good, bad = good + (fits and not one.isascii()), bad + (not fits)
        if good and bad:
            return DatasetError(
                f"{self.path} mixes encodings: {good} lines beyond ASCII are UTF-8 and {bad} are "
                f"not, first line {line}: rewrite those"
            )
        return DatasetError(
            f"{self.path} line {line} is not {self.encoding} "
            f"({str(getattr(error, 'reason', error))[:60]}): name the file's encoding as option "
            "'encoding' (latin-1, say)"
        )


def _codec(name: str | None) -> str | None:
    """The codec's usual name."""
    if name is None:
        return None
    try:
        "".encode(name)  # refuses codecs that are none of text
        codec = codecs.lookup(name).name
    except (LookupError, TypeError, ValueError) as error:
        raise DatasetError(
            f"option 'encoding' is {str(name)[:40]!r}, which is no encoding: give utf-8 or latin-1"
        ) from error
    return "utf-8" if codec == "utf-8-sig" else codec


def _unmarked(encoding: str) -> str:
    return encoding.removesuffix("-le").removesuffix("-be")
