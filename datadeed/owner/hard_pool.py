"""A pool of the samples that an honest model of the owner's gets right, but barely.

What a mark moves is seen on samples whose own class is hard to see. The owner's surrogate is asked
about the samples of a split, and those are written on which its score of the right class exceeds
the best other one by least. Right ones, since an innocent suspect should get most of the pool right
(:mod:`datadeed.owner.clean`). The choice is made before the commitment, without a suspect and
without the key: the bound on a claim holds for any pool, and so for this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadeed.datasets.formats.clips import View
from datadeed.errors import DatasetError, VerificationError
from datadeed.keys.generation2 import Design2
from datadeed.owner.asking import PROBES, Asking, reached
from datadeed.owner.commit_checks import enough_parts
from datadeed.owner.data import Note, Progress, Source, named, open_data, silent, unheard
from datadeed.owner.release.chosen import write_chosen
from datadeed.owner.release.rows import Items
from datadeed.owner.sounding import rate_of
from datadeed.owner.surrogate import UNKNOWN, Asked, advise, ask_all, check_surrogate
from datadeed.verification.counts import POOL_LIMIT, most_blocks

# Of those that the surrogate gets right, unless the owner gives a number. Of fewer and harder ones
# other honest models get too few right (docs/decisions.md).
SHARE = 0.5


@dataclass(frozen=True)
class HardPool:
    """A pool that was written.

    Attributes:
        out: the file, for ``--pool``.
        asked: samples that the surrogate was asked about; repeated ones once.
        answered, right: of these.
        taken: samples in the pool; all are among the right ones.
        margin: of the last one taken: how far the score of its class exceeds the best other one, 0
            to 1; None where the surrogate gave labels only.
    """

    out: Path
    asked: int
    answered: int
    right: int
    taken: int
    margin: float | None


def hard_pool(
    surrogate: Asking,
    source: Source,
    out: str | Path,
    *,
    split: str | None = None,
    reading: dict[str, Any] | None = None,
    count: int | None = None,
    seconds: float = View.seconds,
    progress: Progress = silent,
    note: Note = unheard,
) -> HardPool:
    """Write the samples that a surrogate gets right with the least margin, to commit to.

    Args:
        surrogate: an honest model of the owner's, as :func:`datadeed.owner.verify.verify` takes a
            suspect.
        source: the samples to choose from, images, texts or sound: held out of its training.
        out: the Parquet file to make.
        split: of ``source``, where there are several (test).
        reading: what only the format of ``source`` knows.
        count: how many to take; by default half of those that it gets right, or all where it gives
            labels only, and at most as many as a verification uses.
        seconds: of sound, how much of each file the surrogate hears, as committed later.
        progress: is told of the samples asked about.
        note: takes what the owner should know.

    Raises:
        ConfigurationError: the surrogate cannot be opened.
        CouldNotTest: it cannot be asked, or has stopped answering.
        DatasetError: ``source`` cannot be read, or ``out`` exists or is no Parquet file.
        VerificationError: the surrogate does not tell all classes apart, its limits allow fewer
            questions, it gets too few samples right, or ``count`` is more than there is or too few.
    """
    out = Path(out)
    _check_place(out)
    data, _ = open_data(source, split, "test", **(reading or {}))
    least = least_pool(len(data.classes))
    _check_count(count, data, least, named(source))
    view = View(rate_of(data, data), seconds) if data.modality == "audio" else None
    with reached(surrogate, data.classes) as suspect:
        check_surrogate(suspect, data, note)
        with progress("ask surrogate", data.rows) as advance:
            found = []
            for one in ask_all(suspect, data, view):
                found.append(one)
                advance(one.row + 1)
    advise(found, data, note)
    chosen = hardest(found, count, least)
    _check_kinds(data, chosen)
    write_chosen(data, {one.row for one in chosen}, out, reading)
    last = max(one.margin for one in chosen if one.margin is not None)
    return HardPool(
        out,
        asked=len(found),
        answered=sum(not one.error for one in found),
        right=sum(one.margin is not None for one in found),
        taken=len(chosen),
        margin=None if last == UNKNOWN else last,
    )


def least_pool(classes: int) -> int:
    """The fewest samples with which a usual key for so many classes can spend its whole budget."""
    parts = max(Design2.parts, enough_parts(classes, Design2.alpha))
    return max(PROBES, 2 * most_blocks(Design2.budget, parts, classes, POOL_LIMIT))


def hardest(found: Sequence[Asked], count: int | None, least: int) -> list[Asked]:
    """The right ones of least margin, in the order of their margins.

    Equal margins go by the samples' digests: by their rows, a folder's first class would go first.

    Args:
        found: what a surrogate said, one a sample.
        count: how many; None for :data:`SHARE` of the right ones, or all of them if no margin is
            known; ``least`` at least, and :data:`POOL_LIMIT` at most.
        least: how many a key needs.

    Raises:
        VerificationError: there are fewer right ones than that.
    """
    right = [(one.margin, one.digest, one) for one in found if one.margin is not None]
    wanted = least if count is None else count
    if len(right) < wanted:
        why = f"and a key needs {least}" if count is None else f"and {count} were asked for"
        raise VerificationError(
            f"the surrogate is right on {len(right)} of {len(found)} samples, {why}: "
            + ("name more samples" if len(right) < least else f"ask for {len(right)} at most")
            + ", or a better surrogate"
        )
    if count is None:
        known = any(margin != UNKNOWN for margin, _, _ in right)
        wanted = int(SHARE * len(right)) if known else len(right)
        wanted = max(least, min(POOL_LIMIT, wanted))
    return [one for _, _, one in sorted(right, key=lambda each: each[:2])[:wanted]]


def _check_place(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise DatasetError(f"{out} exists: remove it or name another file")
    if out.suffix != ".parquet":
        raise DatasetError(f"{out} does not end in .parquet, which is what is written: name it so")


def _check_count(count: int | None, data: Items, least: int, what: str) -> None:
    """Refuse a number that cannot be, before a question is asked."""
    if count is not None and count < least:
        raise VerificationError(
            f"count is {count}, but a key for {len(data.classes)} classes needs a pool of {least} "
            "samples to spend its budget on: ask for so many or more"
        )
    if max(count or 0, least) > data.rows:
        wanted = f"a key needs {least}" if count is None else f"count is {count}"
        raise VerificationError(f"{what} has {data.rows} samples and {wanted}: name more samples")


def _check_kinds(data: Items, chosen: Sequence[Asked]) -> None:
    """Refuse a pool of one class: the clean questions of a verification need two."""
    if len({int(data.labels[one.row]) for one in chosen}) < 2:
        name = data.classes[int(data.labels[chosen[0].row])]
        raise VerificationError(
            f"all {len(chosen)} samples to take are of class {name!r}, and a pool needs two "
            "classes: ask for more"
        )
