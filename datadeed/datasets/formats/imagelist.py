"""Images in one folder, and beside them a table with each one's name and label.

The table is ``metadata.csv``, ``metadata.jsonl`` (Hugging Face's), ``labels.csv`` or any other CSV
or JSON Lines with the names, relative to its folder, in a column ``file_name``. Splits are folders
with a table each. The images lie beside the table or in the only folder there.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import images, jsonl, layout
from datadeed.datasets.formats.blocks import choose_split
from datadeed.datasets.formats.csv_table import CsvTable
from datadeed.datasets.formats.jsonl import JsonTable
from datadeed.datasets.formats.split import Split
from datadeed.datasets.formats.text_columns import Value, class_names, gather, label_numbers
from datadeed.datasets.formats.text_files import TextFile
from datadeed.datasets.formats.text_table import Table, cells
from datadeed.errors import DatasetError

blocks = images.blocks
NAMES = ("file_name", "filename", "file", "image", "path")
_CSV = (".csv", ".tsv")
_LISTS = (*_CSV, *jsonl.SUFFIXES)
_COLUMN = re.compile(rf'(?:^|[,;\t|])"?(?:{"|".join(NAMES)})"?(?:[,;\t|\r\n]|$)', re.IGNORECASE)
_KEY = re.compile(rf'"(?:{"|".join(NAMES)})"\s*:', re.IGNORECASE)


def matches(path: Path) -> bool:
    """Whether ``path`` is a folder with images and a table that names files, or of such folders."""
    return path.is_dir() and bool(_lists(path))


def open_split(
    path: Path, split: str | None = None, *, file: str | None = None, label: str | None = None
) -> Split:
    """The images of one split that its table names; all must be there, and no others.

    Args:
        path: a folder with images and a table, or of folders of splits with such.
        split: the folder to read; not needed where there is only one.
        file: the table's column of names; found by usual names (:data:`NAMES`) if None.
        label: its column of labels; found by usual names if None.

    Raises:
        DatasetError: a table cannot be read or lacks a column, it names an image that is not there
            or one twice, or there are images that it does not name.
    """
    lists = _lists(path)
    if not lists:
        raise DatasetError(f"{path} holds no table that names images: name another place")
    tables = {name: _open(one, file, label) for name, one in lists.items()}
    table = tables[choose_split(split, list(tables), path)]
    names, values = _rows(table)
    every: set[Value] = set(values)
    for other in tables.values():
        every |= set(_rows(other)[1])
    classes = class_names(every, path)
    folder = table.file.path.parent
    _check_names(names, table)
    files = [folder / name for name in names]
    return Split(
        modality="image",
        where=path,
        classes=classes,
        labels=label_numbers(values, classes),
        index=np.arange(len(names)),
        stream=lambda: ((str(one), one) for one in files),
        files=[*files, table.file.path],
        names=names,
        tables=[table],
    )


def _lists(path: Path) -> dict[str, Path]:
    """The table of each split; of a folder that is one itself, the only one."""
    if table := _list_in(path):
        return {path.name: table}
    found = {}
    for folder in sorted(one for one in path.iterdir() if one.is_dir()):
        split, usual = layout.split_of(folder.name)
        if usual and (table := _list_in(folder)):
            found[split] = table
    return found


def _list_in(folder: Path) -> Path | None:
    """A folder's table that names files, the likeliest by its own name, if there are images."""
    tables = [one for one in folder.iterdir() if layout.suffix_of(one, _LISTS) and one.is_file()]
    tables.sort(key=lambda one: (not one.name.startswith(("metadata.", "labels.")), one.name))
    if not tables or not any(_is_image(one) for one in _beside(folder)):
        return None
    return next((one for one in tables if _names_files(one)), None)


def _beside(folder: Path) -> Iterator[Path]:
    """The files of a folder, and those of the only folder in it."""
    yield from (one for one in sorted(folder.iterdir()) if one.is_file())
    inner = [one for one in folder.iterdir() if one.is_dir() and one.name[0] not in "._"]
    if len(inner) == 1:
        yield from (one for one in sorted(inner[0].iterdir()) if one.is_file())


def _is_image(file: Path) -> bool:
    return file.name.lower().endswith(images.SUFFIXES) and not file.name.startswith(".")


def _names_files(table: Path) -> bool:
    """Whether the first line of a CSV, or the first object, has a column of file names."""
    try:
        lines = TextFile(table, None).lines()
        if layout.suffix_of(table, _CSV):
            return bool(_COLUMN.search(next(lines, "")))
        return bool(_KEY.search("".join(itertools.islice(lines, 9))))
    except DatasetError:
        return False


def _open(table: Path, file: str | None, label: str | None) -> Table:
    """A table with its columns."""
    opener = CsvTable if layout.suffix_of(table, _CSV) else JsonTable
    text = TextFile(table, None)
    if file is not None:
        return opener(text, file, label)
    failures = []
    for name in NAMES:
        try:
            return opener(text, name, label)
        except DatasetError as error:
            failures.append(str(error))
    raise DatasetError(next((one for one in failures if "option 'text'" not in one), failures[0]))


def _rows(table: Table) -> tuple[list[str], list[Value]]:
    """The names and labels, in order."""
    values, _ = gather(cells(table), table.file.path, drop_empty=False)
    return [fields[0] for _, fields, _ in cells(table)], values


def _check_names(names: list[str], table: Table) -> None:
    """Check that a table names every image once.

    Raises:
        DatasetError: it does not.
    """
    path = table.file.path
    there = {one.relative_to(path.parent).as_posix() for one in _beside(path.parent)}
    images_there = {name for name in there if _is_image(Path(name))}
    if missing := sorted(set(names) - images_there):
        raise DatasetError(
            f"{path} names {len(missing)} images that are not beside it, first "
            f"{missing[0][:80]!r}: correct it, or sort the images into a folder for each class"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DatasetError(f"{path} names {twice[0][:80]!r} twice: keep one of the rows")
    if unnamed := sorted(images_there - set(names)):
        raise DatasetError(
            f"{path.parent} holds {len(unnamed)} images that {path.name} does not name, first "
            f"{unnamed[0][:80]!r}: list or remove them"
        )
