"""Tables of texts: which columns hold text and label, and what labels and texts may be."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from datadeed.datasets.formats.blocks import MOST_CLASSES, numbered
from datadeed.datasets.formats.split import Columns
from datadeed.errors import DatasetError

TEXT = ("text", "sentence", "content", "review", "document")
LABEL = ("label", "labels", "class", "target")
# Often says where a row was found; a label only where nothing else is.
LAST_LABEL = "source"
TITLE = "title"
SEPARATOR = "\n"

Value = str | int
Where = tuple[object, str, int]  # a file, and its "line" or "row" of this number
Cells = tuple[Where, Sequence[Any], Any]  # a row's place, its text's fields, its label


class Unlabelled(DatasetError):
    """The labels of a split are kept back (a benchmark's test split)."""


def choose_columns(
    names: Sequence[str],
    where: object,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
) -> Columns:
    """The columns to read: those named, or those with usual names (capitals do not matter).

    A title beside a content (DBpedia, Amazon's reviews) is read as the text's first line.

    Raises:
        DatasetError: a column is missing, or several would do.
    """
    if text is None:
        found = _alike(names, TEXT)
        if [name.casefold() for name in found] == ["content"]:
            found = [*_alike(names, (TITLE,)), *found]
        elif len(found) != 1:
            raise _unclear(names, where, "text", found, TEXT)
    else:
        wanted = [text] if isinstance(text, str) else list(text)
        found = [_named(names, where, "text", name) for name in wanted]
    if label is None:
        labels = _alike(names, LABEL) or _alike(names, (LAST_LABEL,))
        if len(labels) != 1:
            raise _unclear(names, where, "label", labels, (*LABEL, LAST_LABEL))
    else:
        labels = [_named(names, where, "label", label)]
    if not found or len({*found, labels[0]}) != len(found) + 1:
        raise DatasetError(f"{where}: options 'text' and 'label' must name different columns")
    return Columns(tuple(found), labels[0])


def _alike(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    return [name for name in names if name.strip().casefold() in usual]


def _named(names: Sequence[str], where: object, option: str, name: object) -> str:
    same = [one for one in names if one == name] or _alike(names, (str(name).casefold(),))
    if len(same) != 1:
        raise DatasetError(
            f"{where} has {len(same) or 'no'} column{'s' * (len(same) > 1)} {str(name)[:60]!r} (it "
            f"has: {_shown(names)}): correct option {option!r}"
        )
    return same[0]


def _unclear(
    names: Sequence[str], where: object, option: str, found: Sequence[str], usual: Sequence[str]
) -> DatasetError:
    if found:
        what = f"several columns that may be the {option} ({_shown(found)})"
        return DatasetError(f"{where} has {what}: name one as option {option!r}")
    if not names:
        return DatasetError(f"{where} is empty: remove it, or name another place")
    return DatasetError(
        f"{where} has no {option} column ({', '.join(usual)}) but: {_shown(names)}; name it as "
        f"option {option!r} (a table begins with a line of column names)"
    )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:12])[:200] or "none"


def text_of(fields: Sequence[Any], where: Where) -> str:
    """A row's text, of one field or several; a missing one counts as empty.

    Raises:
        DatasetError: a field is no text, or no Unicode text.
    """
    odd = [one for one in fields if one is not None and not isinstance(one, str)]
    if odd:
        raise DatasetError(f"{place(where)} has a text {str(odd[0])[:40]!r}: texts must be strings")
    text = SEPARATOR.join(one or "" for one in fields)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DatasetError(
                f"{place(where)} has half of a surrogate pair (\\u{ord(text[error.start]):04x}) in "
                "its text: write whole characters"
            ) from error
    return text


def fields_of(text: str, old: Sequence[str], where: object) -> list[str]:
    """An edited text as the fields that ``old`` was joined from.

    Raises:
        DatasetError: line breaks are missing, so that it cannot be told where a field ends.
    """
    fields = []
    for field in old[:-1]:
        parts = text.split(SEPARATOR, field.count(SEPARATOR) + 1)
        if len(parts) < field.count(SEPARATOR) + 2:
            raise DatasetError(
                f"the edit of {where} took a line break away that parts two columns: keep it, or "
                "read one column (option 'text')"
            )
        fields.append(SEPARATOR.join(parts[:-1]))
        text = parts[-1]
    return [*fields, text]


def place(where: Where) -> str:
    """A row for an error's line."""
    file, unit, number = where
    return f"{file} {unit} {number}"


def label_of(value: Any, where: Where) -> Value:
    """A row's label: a whole number, or a name.

    Raises:
        DatasetError: it is missing, or something else.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip():
        return value.strip()
    what = "no label" if value in (None, "") or str(value).isspace() else "an unusable label"
    raise DatasetError(f"{place(where)} has {what}: give each row a name or a whole number")


def gather(
    rows: Iterable[Cells], source: object, drop_empty: bool
) -> tuple[list[Value], np.ndarray]:
    """The labels of the rows to read, and (M,) int64, the rows' numbers among all.

    A row without a text is an error unless the owner says so: mostly it is a sign of a wrong column
    or of lost data, and nothing can be learned from it. With ``drop_empty`` such rows are left out
    (a release carries them over).

    Raises:
        DatasetError: there is no text, or one is empty or blank, or it or a label cannot be used,
            or ``drop_empty`` is neither true nor false.
        Unlabelled: all labels are -1.
    """
    if not isinstance(drop_empty, bool):
        raise DatasetError(f"option 'drop_empty' is {drop_empty!r}: give true or false")
    labels, kept, empty = [], [], []
    for number, (where, fields, label) in enumerate(rows):
        if text_of(fields, where).strip():
            labels.append(label_of(label, where))
            kept.append(number)
        else:
            empty.append(where)
    if empty and not drop_empty:
        others = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        raise DatasetError(
            f"{place(empty[0])} has an empty text{others}: fill it in, or set option 'drop_empty' "
            "to true to leave such rows out"
        )
    if not labels:
        what = f"{len(empty)} rows, all without a text" if empty else "no rows"
        raise DatasetError(f"{source} has {what}: name another place, or another column as 'text'")
    if set(labels) == {-1}:
        raise Unlabelled(f"{place(where)[:200]} and all before have label -1: name another split")
    return labels, np.array(kept, dtype=np.int64)


def wanted_texts(rows: Iterable[Cells], wanted: np.ndarray) -> Iterator[tuple[str, str]]:
    """The names for messages and the texts of those rows whose numbers are wanted, ascending."""
    numbers = iter(wanted.tolist())
    following = next(numbers, None)
    for number, (where, fields, _) in enumerate(rows):
        if number == following:
            yield place(where), text_of(fields, where)
            following = next(numbers, None)


def known_labels(values: Iterable[Any]) -> Iterator[Value]:
    """The labels among some values; a split without labels has none."""
    for value in values:
        if isinstance(value, int) or (isinstance(value, str) and value.strip()):
            yield label_of(value, ("", "", 0))


def class_names(values: Iterable[Value], where: object) -> tuple[str, ...]:
    """The classes behind all labels: names sorted (numbers by value), or ``"0"`` to the largest.

    Raises:
        DatasetError: there are numbers and names, or a number is too large to be a class.
    """
    distinct = set(values)
    numbers = [value for value in distinct if isinstance(value, int)]
    names = [value for value in distinct if isinstance(value, str)]
    if numbers and names:
        raise DatasetError(
            f"{where} has numbers ({numbers[0]}) and names ({names[0][:40]!r}) as labels: use one "
            "kind"
        )
    if max(numbers, default=0) >= MOST_CLASSES:
        raise DatasetError(
            f"{where} has a label {max(numbers)}: number classes from 0, or name another column as "
            "option 'label'"
        )
    if numbers:
        return numbered(1 + max(0, *numbers))
    if all(name.isascii() and name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def label_numbers(labels: Sequence[Value], classes: tuple[str, ...]) -> np.ndarray:
    """Labels as (N,) int64; those that are numbers already are class numbers."""
    number = {name: place for place, name in enumerate(classes)}
    return np.array([x if isinstance(x, int) else number[x] for x in labels], dtype=np.int64)
