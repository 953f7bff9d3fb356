"""What a thief would find in a release without the key, before the owner publishes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.registry import read
from datadeed.errors import DatasetError, ParameterError
from datadeed.keys.key import Key
from datadeed.owner.data import Note, Progress, Source, read_key, silent, unheard
from datadeed.owner.inspect_marks import marked_rows
from datadeed.randomness import generator
from datadeed.thieves.cleaning.cross_fit import CrossFit, cross_fit
from datadeed.thieves.cleaning.registry import CLEANERS, build_cleaner
from datadeed.thieves.metadata.listing import Listing, listing_of
from datadeed.thieves.metadata.registry import DETECTORS, build_detector
from datadeed.thieves.outliers import flagged, search

RATE = 0.005  # share of the rows above which marks count as found
FLAGGED = 0.1  # share of the rows that a thief drops, for recall and precision
FEW = 100  # rows below which no network is trained
UNMARKED = "; inspect the unmarked data, too: rows of their own may stick out"


@dataclass(frozen=True)
class Finding:
    """What one cleaner or detector found.

    Attributes:
        name: the cleaner's or detector's.
        kind: "samples" or "metadata".
        found: rows above its threshold; None if it only ranks.
        most_class: of those rows, or of the tenth with the highest scores, the class that has most
            above its share in the data; ``times`` how many times its share.
        recall, precision: of the marks, if a tenth of the rows is dropped; None without a key.
        auc: in what share of pairs of a marked and another row the marked one scores higher, or
            lower where a mark may do either; 0.5 by chance, 1 at most. None without a key.
    """

    name: str
    kind: str
    found: int | None
    most_class: str
    times: float
    recall: float | None = None
    precision: float | None = None
    auc: float | None = None


@dataclass(frozen=True, eq=False)
class Inspection:
    """What would be found.

    Attributes:
        rows: of the release.
        marks: rows that carry one; None without a key.
        findings: of every cleaner and detector that such data can be given to.
        above: (N,) bool, rows that one of them or more finds without a key.
        rate: share of the rows above which marks count as found.
    """

    rows: int
    marks: int | None
    findings: tuple[Finding, ...]
    above: np.ndarray
    rate: float

    @property
    def share(self) -> float:
        """Of all rows that something finds without a key, 0 to 1."""
        return float(self.above.mean())

    @property
    def alarm(self) -> bool:
        """Whether marks count as found."""
        return self.share > self.rate

    def conclusion(self) -> str:
        """One line."""
        by = [found.name for found in self.findings if found.found]
        if not by:
            return "no row sticks out, which does not mean that no mark can be found"
        verdict = "marks would be found" if self.alarm else "too few to count as marks"
        return (
            f"{int(self.above.sum())} of {self.rows} rows stick out ({self.share:.2%}, by "
            f"{', '.join(by)}): {verdict} (limit {self.rate:.2%})"
            + (UNMARKED if self.alarm and self.marks is None else "")
        )

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rows": self.rows,
            "marks": self.marks,
            "rows_found": int(self.above.sum()),
            "share_found": self.share,
            "rate": self.rate,
            "alarm": self.alarm,
            "conclusion": self.conclusion(),
            "findings": [dict(vars(found)) for found in self.findings],
        }


def inspect(
    release: Source,
    *,
    key: Key | str | Path | None = None,
    source: Source | None = None,
    split: str | None = None,
    reading: dict[str, Any] | None = None,
    size: int | None = None,
    rate: float = RATE,
    passphrase: str | None = None,
    seed: int = 0,
    progress: Progress = silent,
    note: Note = unheard,
) -> Inspection:
    """Look for marks as a thief would who has the release and this code, and no key.

    Args:
        release: the data that are about to be published, in any format or in memory.
        key: the owner's, to say how many of the marks are found.
        source: the data before they were marked, which a key needs.
        split: of both, where there are several ("train").
        reading: of both, what only their format knows.
        size: brings images of several sizes to one; not with a key.
        rate: share of the rows above which marks count as found, 0 to 1.
        passphrase: of a sealed key.
        seed: of all draws.
        progress: is told of every step.
        note: takes what the owner should know.

    Raises:
        DatasetError: the data cannot be read.
        ParameterError: the rate is no share, a key comes without the source, or with a size.
        KeyRecordError, SecretError: the key cannot be read, or is of other data.
    """
    if not 0 <= rate < 1:
        raise ParameterError(f"a rate of {rate}: give a share of the rows, 0 to 1 (0.005)")
    if (key is None) != (source is None) or (key is not None and size is not None):
        raise ParameterError("a key needs the source that it marked, and images as they are")
    given = reading or {}
    data, split = _read(release, split, given | ({} if size is None else {"size": size}))
    marks = None
    if key is not None and source is not None:
        opened = read_key(key, passphrase)
        marks = marked_rows(
            opened, source, release, data, split=split, progress=progress, reading=given
        )
    judge = _Judge(data, marks)
    in_memory = Listing(labels=data.labels.numpy(), classes=data.classes)
    listing = in_memory if isinstance(release, Dataset) else _listing(release, split, given)
    if len(listing) != len(data):
        note("some rows have no sample: what files show of the others is left out")
        listing = in_memory
    _by_metadata(listing, judge, progress)
    _by_samples(data, judge, seed, progress, note)
    total = None if marks is None else int(marks.sum())
    return Inspection(len(data), total, tuple(judge.findings), judge.above, rate)


def _read(source: Source, split: str | None, given: dict[str, Any]) -> tuple[Dataset, str | None]:
    """A split of a release, and its name."""
    if isinstance(source, Dataset):
        return source, split
    try:
        return read(source, split=split, **given), split
    except SeveralSplits:
        return read(source, split="train", **given), "train"


def _listing(source: str | Path, split: str | None, given: dict[str, Any]) -> Listing:
    """What the files of a split show."""
    own = {name: value for name, value in given.items() if name != "format"}
    format = given.get("format") or formats.detect(Path(source))
    return listing_of(formats.module(format).open_split(Path(source), split, **own))


class _Judge:
    """Turns scores into findings, and remembers the rows above a threshold."""

    def __init__(self, data: Dataset, marks: np.ndarray | None):
        self.findings: list[Finding] = []
        self.above = np.zeros(len(data), dtype=bool)
        self._labels, self._classes, self._marks = data.labels.numpy(), data.classes, marks

    @property
    def with_key(self) -> bool:
        """Whether it is known which rows are marked."""
        return self._marks is not None

    def __call__(
        self, name: str, kind: str, scores: np.ndarray, threshold: float | None, signed: bool
    ) -> None:
        """Add a finding."""
        over = scores > threshold if threshold is not None else None
        if over is not None:
            self.above |= over
        chosen = over if over is not None and over.any() else flagged(scores, FLAGGED)
        share = np.bincount(self._labels) / len(self._labels)
        times = np.bincount(self._labels[chosen], minlength=len(share)) / chosen.sum()
        times = np.divide(times, share, out=np.zeros_like(share), where=share > 0)
        with_key: dict[str, float] = {}
        if self._marks is not None and 0 < self._marks.sum() < len(self._marks):
            found = search(scores, self._marks, FLAGGED)
            if signed and found.above < 0.5:
                found = search(-scores, self._marks, FLAGGED)
            with_key = {"recall": found.recall, "precision": found.precision, "auc": found.above}
        self.findings.append(
            Finding(
                name,
                kind,
                None if over is None else int(over.sum()),
                self._classes[int(times.argmax())],
                float(times.max()),
                **with_key,
            )
        )


def _by_metadata(listing: Listing, judge: _Judge, progress: Progress) -> None:
    with progress("metadata", len(DETECTORS)) as advance:
        for done, name in enumerate(DETECTORS, 1):
            detector = build_detector(name)
            useful = judge.with_key or not detector.signed
            scores = detector(listing) if useful else None
            if scores is not None:
                judge(name, "metadata", scores, detector.threshold, detector.signed)
            advance(done)


def _by_samples(data: Dataset, judge: _Judge, seed: int, progress: Progress, note: Note) -> None:
    cleaners = [build_cleaner(name) for name in CLEANERS]
    wanted = [one for one in cleaners if data.modality in one.modalities]
    fit = _fit(data, seed, progress, note) if data.modality == "image" else None
    with progress("cleaners", len(wanted)) as advance:
        for done, cleaner in enumerate(wanted, 1):
            if fit is not None or not cleaner.fitted:
                draw = generator(seed, "inspect", cleaner.name)
                try:
                    scores = cleaner(data, generator=draw, fit=fit)
                except ImportError as error:
                    raise DatasetError(
                        f"{error.name} is not installed, which {cleaner.name} uses: install the "
                        "extra 'inspect' (pip install 'datadeed[inspect]')"
                    ) from error
                judge(cleaner.name, "samples", scores, cleaner.threshold, False)
            advance(done)


def _fit(data: Dataset, seed: int, progress: Progress, note: Note) -> CrossFit | None:
    if len(data) < FEW:
        note(f"{len(data)} rows are too few to train on: cleaners that need a network are left out")
        return None
    with progress("cross-fit", 1) as advance:
        found = cross_fit(data, generator=generator(seed, "inspect", "cross-fit"))
        advance(1)
    return found
