"""Files of a split, edited first and then handed out as the release holds them."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np

from datadeed.datasets.formats.images import decode
from datadeed.datasets.formats.split import Split
from datadeed.owner.release.clips import Rerecording
from datadeed.owner.release.edits import Job
from datadeed.owner.release.pictures import LOSSLESS, format_of, recode, redraw, settle, single
from datadeed.owner.release.spool import Spool

_SAMPLE = 64
_BATCH = 256


class Redrawing:
    """Edits image files one by one, and keeps the results on disk until their place is known.

    A marked PNG must not stand out by its encoder. If our encoder does not give the very bytes of
    a sample of the unmarked files of its format, or if one edited image needs another mode (a
    palette without the mark's colours), all files of that format are written again, with the same
    pixels. A marked JPEG must not stand out by how often it was encoded: if one is edited, all are
    encoded until that changes nothing more (:func:`settle`), unless the job's manner leaves that.
    Of JPEGs with several pictures all keep their first alone, marked or not.

    Args:
        job: what is released.

    Attributes:
        to_read: the rows that :meth:`draw` wants to see.
    """

    def __init__(self, job: Job):
        edits = job.edits
        self._edits, self._channels = edits, job.channels
        self._settles, self._drawn = job.manner.jpegs, Spool(job.waiting() / "drawn")
        others = np.setdiff1d(np.arange(len(edits.labels)), edits.rows)
        picked = np.linspace(0, len(others) - 1, min(_SAMPLE, len(others))).astype(int)
        self._asked = set(edits.rows.tolist())
        self.to_read = self._asked | set(others[picked].tolist())
        self._drawn_formats: set[str] = set()
        self._ours: dict[str, bool] = {}  # whether our encoder gives a format's unmarked files
        self._wider: dict[str, str] = {}

    def draw(self, row: int, name: str, source: bytes | Path) -> None:
        """Edit one file, or compare one unmarked file with what our encoder makes of it."""
        data = single(name, source if isinstance(source, bytes) else source.read_bytes())
        if row not in self._asked:
            form = format_of(name, data)
            same = form not in LOSSLESS or recode(name, data, {form}, {}) == data
            self._ours[form] = self._ours.get(form, True) and same
            return
        old = decode(name, data, channels=self._channels, size=None)
        new = self._edits.ask(row, old)
        self._edits.advance()
        if new is None:
            return
        drawn = redraw(name, data, new)
        self._drawn_formats.add(drawn.format)
        written = settle(name, drawn.data) if self._settles else drawn.data
        self._edits.measure(old, new, decode(name, written, channels=self._channels, size=None))
        self._drawn[row] = written
        if drawn.format in LOSSLESS:
            if drawn.mode != drawn.new_mode:
                self._widen(drawn.mode, drawn.new_mode)
        elif not drawn.same_form:
            self._edits.odd_rows.append(row)

    def _widen(self, mode: str, new: str) -> None:
        if mode != "LA":  # transparency is added image by image
            new = new.removesuffix("A")
        if self._wider.get(mode) != "RGB":
            self._wider[mode] = new

    @property
    def recoded_formats(self) -> set[str]:
        """The lossless formats of which every file is written again, after all edits."""
        drawn = self._drawn_formats & LOSSLESS
        return drawn if self._wider else {f for f in drawn if not self._ours.get(f, False)}

    def finished(self, files: Iterable[tuple[int, str, bytes]]) -> Iterator[tuple[int, bytes]]:
        """For (row, name, data): each row and its file as the release holds it, in order."""
        files, formats = iter(files), self.recoded_formats
        settles = self._settles and "JPEG" in self._drawn_formats
        with ThreadPoolExecutor(min(8, cpu_count() or 1)) as pool:
            while batch := list(islice(files, _BATCH)):
                final = partial(self._final, formats=formats, settles=settles)
                new = pool.map(final, batch) if formats or settles else map(final, batch)
                for (row, _, data), result in zip(batch, new, strict=True):
                    self._edits.recoded += row not in self._drawn and result != data
                    if row not in self._asked:
                        self._edits.advance()
                    yield row, result

    def _final(self, file: tuple[int, str, bytes], *, formats: set[str], settles: bool) -> bytes:
        row, name, data = file
        if row in self._drawn:
            data, settles = self._drawn[row], False
        else:
            data = single(name, data)
        data = recode(name, data, formats, self._wider) if formats else data
        return settle(name, data) if settles else data


def edited_files(job: Job, found: Split) -> Redrawing | Rerecording:
    """The image or WAV files of a split, edited."""
    drawn = Redrawing(job) if found.modality == "image" else Rerecording(job)
    for row, (name, source) in enumerate(found.stream()):
        if row in drawn.to_read:
            drawn.draw(row, name, source)
    return drawn
