"""An owner's own honest model, asked about samples of its task before there is a suspect."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datadeed.datasets.formats.clips import View
from datadeed.errors import VerificationError
from datadeed.owner.asking import CouldNotTest
from datadeed.owner.clean import LEAST_RIGHT
from datadeed.owner.data import KINDS, Note
from datadeed.owner.pool import sample_digest
from datadeed.owner.release.rows import Item, Items
from datadeed.owner.samples import form_of, join, reader
from datadeed.owner.suspects.base import Answer, Suspect

BATCH = 256  # samples that are asked about at once, at most
PATIENCE = 16  # questions without an answer, one after another
UNKNOWN = math.inf  # the margin where labels alone are given


@dataclass(frozen=True)
class Asked:
    """What a surrogate said to one sample of a split.

    Attributes:
        row, digest: the sample's number and digest.
        error: why there is no answer; "" if there is one.
        margin: None if the answer is wrong; :data:`UNKNOWN` if it is right and has no scores.
    """

    row: int
    digest: bytes
    error: str
    margin: float | None


def check_surrogate(suspect: Suspect, data: Items, note: Note) -> None:
    """Refuse one that lacks classes, or may not be asked so much; say what it will cost."""
    told = {group[0] for group in suspect.groups if len(group) == 1}
    lacking = [name for number, name in enumerate(data.classes) if number not in told]
    if lacking:
        raise VerificationError(
            f"{suspect.name} does not tell {len(lacking)} of the {len(data.classes)} classes apart "
            f"({lacking[0]!r} is the first): name a surrogate with a label for each of them"
        )
    budget = getattr(suspect, "budget", None)  # of a server: files cost nothing
    if budget is None:
        return
    if data.rows > budget.left:
        raise VerificationError(
            f"{data.rows} questions are to be asked, one a sample, and {suspect.name} takes "
            f"{budget.left}: raise limits in its file, or name fewer samples; none was asked"
        )
    each = budget.cost_per_query
    price = "" if each is None else f", at a cost of {data.rows * each:g}"
    note(f"{data.rows} questions will be asked, one a sample, and failed ones again{price}")


def ask_all(suspect: Suspect, data: Items, view: View | None = None) -> Iterator[Asked]:
    """What a suspect says to each sample of a split, in order; to equal ones once.

    Args:
        suspect: of ``data``'s kind.
        data: images of any size, texts or sound.
        view: of sound, what is heard of it.

    Raises:
        CouldNotTest: :data:`PATIENCE` questions in a row got no answer.
        SuspectError: the samples do not fit the suspect, or its limits are spent.
    """
    failed = 0
    for items, samples in _batches(data, view, min(BATCH, getattr(suspect, "at_once", 1))):
        answers = suspect.predict(samples)
        for (item, digest), answer in zip(items, answers, strict=True):
            failed = failed + 1 if answer.failed else 0
            margin = None if answer.failed else margin_of(answer, item.label)
            yield Asked(item.row, digest, answer.error, margin)
            if failed == PATIENCE:
                raise CouldNotTest(
                    f"{failed} questions in a row got no answer, the last with {answer.error!r}: "
                    "run again when the surrogate answers; nothing was written"
                )


def _batches(
    data: Items, view: View | None, size: int
) -> Iterator[tuple[list[tuple[Item, bytes]], Any]]:
    """Different samples with their digests, and the batch of them, all of one form."""
    read, seen = reader(data, view), set()
    items: list[tuple[Item, bytes]] = []
    batch: list[Any] = []
    for item in data:
        digest = sample_digest(item.sample)
        if digest in seen:
            continue
        seen.add(digest)
        one = read(item)
        if batch and (len(batch) == size or form_of(one) != form_of(batch[0])):
            yield items, join(batch)
            items, batch = [], []
        items.append((item._replace(sample=None), digest))
        batch.append(one)
    if batch:
        yield items, join(batch)


def margin_of(answer: Answer, label: int) -> float | None:
    """Score of the right class less the best other one, 0 to 1, as :attr:`Asked.margin` has it.

    Of a suspect that gives its first few classes only, one that was not given counts as 0.
    """
    if answer.label != label:
        return None
    if answer.scores is None:
        return UNKNOWN
    return answer.scores[0] - (answer.scores[1] if len(answer.scores) > 1 else 0.0)


def advise(found: Sequence[Asked], data: Items, note: Note) -> None:
    """What the owner should know of the answers."""
    errors = [one.error for one in found if one.error]
    margins = [one.margin for one in found if one.margin is not None]
    answered = len(found) - len(errors)
    if errors:
        note(f"{len(errors)} questions got no answer, the first with {errors[0]!r}: left out")
    if data.rows > len(found):
        note(f"{data.rows - len(found)} samples stand there before: each was asked about once")
    if len(margins) <= LEAST_RIGHT * answered:
        note(
            f"the surrogate is right on {len(margins)} of {answered} samples: if that is not what "
            "it can do, correct the order of classes or the input in its file"
        )
    if margins and all(margin == UNKNOWN for margin in margins):
        kind = KINDS[data.modality]
        note(
            f"the surrogate gives labels only: which {kind} are hard, beside wrong ones, is unknown"
        )
