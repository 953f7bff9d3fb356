"""What a commitment for sound fixes of the data: their rate, and how much of each clip is heard."""

from collections.abc import Iterator
from typing import Any

from datadeed.datasets.formats.clips import View
from datadeed.errors import KeyRecordError
from datadeed.owner.data import Note
from datadeed.owner.release.clips import ClipItems
from datadeed.owner.release.rows import Items


def rate_of(data: Items, pool: Items) -> int:
    """The rate in Hz at which all clips stand.

    Raises:
        KeyRecordError: clips of the data or the pool differ.
    """
    found: dict[int, str] = {}
    for name, items in (("the data", data), ("the pool", pool)):
        for row, form in enumerate(_forms(items)):
            found.setdefault(form.rate, f"row {row} of {name}")
    if len(found) > 1:
        (one, at), (other, there) = list(found.items())[:2]
        raise KeyRecordError(
            f"{at} stands at {one} Hz and {there} at {other} Hz: bring all clips of data and pool "
            "to one rate first"
        )
    return next(iter(found))


def advise_of_lengths(data: Items, carrier: dict[str, Any], note: Note) -> None:
    """Say how many clips go on after what a model is taken to hear, as marks lie before that."""
    view = View(carrier["hertz"], carrier["milliseconds"] / 1000)
    longer = sum(form.frames > view.length for form in _forms(data))
    if longer:
        note(
            f"{longer} of {data.rows} clips are longer than {view.seconds:g} s: marks lie in the "
            f"first {view.seconds:g} s of each, and questions are so long (--seconds)"
        )


def _forms(items: Items) -> Iterator[Any]:
    assert isinstance(items, ClipItems)
    yield from items.forms
