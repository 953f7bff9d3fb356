"""Which tables of a folder make which split, in the layouts in which datasets are published.

A split's name is that of the folder a table is in (``train/0000.parquet``), what stands before the
first ``-`` or a number (``train-00000-of-00002.parquet``, ``test.csv``), or after the last ``-``,
``_`` or ``.`` (``name-train.parquet``). Tables that differ in their numbers alone are shards of one
split. Folders of such folders or tables are configurations, of which one is to be named.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from datadeed.datasets.formats.blocks import SPLITS, choose_split
from datadeed.datasets.formats.split_folders import SPLIT_OF
from datadeed.errors import DatasetError

_LINES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
TABLES = (*_LINES, *(f"{one}.gz" for one in _LINES), ".parquet")
PROSE = ".txt"  # of a table only where the file itself is named, or its name is a split's
_OTHER_NAMES = {word: split for word, split in SPLIT_OF.items() if word not in SPLITS}
_SHARD = re.compile(r"(?:^|[-_.])\d+(-of-\d+)?(?:-[0-9a-f]{8,})?$")
# Tables of these names say something of the files beside them.
_DESCRIBES = re.compile(
    r"(metadata|dataset_infos?|dataset_dict|state|config)\.[^/]*", re.IGNORECASE
)

Splits = dict[str, list[Path]]


def suffix_of(path: Path, suffixes: Sequence[str]) -> str:
    """The suffix of a file among ``suffixes`` (``.csv``, ``.csv.gz``), or nothing."""
    name = path.name.lower()
    return next((one for one in suffixes if name.endswith(one)), "")


def splits(path: Path, suffixes: Sequence[str]) -> Splits:
    """The tables of each split, in order; none if there are no tables.

    Args:
        path: a table, which is a split by itself; or a folder of them, or of which ``data`` is one.
        suffixes: of tables, with a dot.

    Raises:
        DatasetError: there are several configurations.
    """
    found = configurations(path, suffixes)
    if len(found) > 1:
        raise DatasetError(
            f"{path} holds {len(found)} configurations: name one, as "
            f"{', '.join(str(path / name) for name in [*found][:8])[:300]}"
        )
    return next(iter(found.values()), {})


def files_of_split(
    path: Path, split: str | None, suffixes: Sequence[str]
) -> tuple[list[Path], list[Path]]:
    """The tables of one split, in order, and those of all splits; none if there are no tables.

    Raises:
        SeveralSplits: it must be named.
        DatasetError: it is missing, or there in two formats; or there are several configurations.
    """
    if path.is_file():
        return [path], [path]
    found = splits(path, suffixes)
    everything = [file for files in found.values() for file in files]
    if not found:
        return everything, everything
    chosen = choose_split(split, list(found), path)
    same = splits(path, TABLES).get(chosen, [])
    if len({suffix_of(file, TABLES) for file in same}) > 1:
        raise DatasetError(
            f"{path} holds {chosen!r} in two formats ({same[0].name}, {same[-1].name}): keep one, "
            "for an edit of one would leave the other as it is"
        )
    return found[chosen], everything


def configurations(path: Path, suffixes: Sequence[str]) -> dict[str, Splits]:
    """The splits of each configuration, by its folder's name; ``"."`` where there is one only."""
    if path.is_file():
        suffix = suffix_of(path, suffixes)
        return {".": {path.name[: -len(suffix)]: [path]}} if suffix else {}
    if not path.is_dir():
        return {}
    for folder in (path, path / "data"):
        if folder.is_dir() and (found := _splits_in(folder, suffixes)):
            return {".": found}
    result = {}
    for folder in _folders(path):
        if not (found := _splits_in(folder, suffixes)):
            return {}  # the folders are something else, classes of images perhaps
        result[folder.name] = found
    return result


def _splits_in(folder: Path, suffixes: Sequence[str]) -> Splits:
    """The splits in a folder and its folders of splits; others only where none has a usual name."""
    groups: Splits = {}
    known = set()
    for file in _tables(folder, suffixes):
        stem = file.name[: -len(suffix_of(file, suffixes))]
        name, usual = split_of(stem)
        if not usual and PROSE in file.name.lower():
            continue
        groups.setdefault(name, []).append(file)
        known |= {name} if usual else set()
    for inner in _folders(folder):
        name, usual = split_of(inner.name)
        if usual and (files := list(_tables(inner, suffixes))):
            groups.setdefault(name, []).extend(files)
            known.add(name)
    return {name: files for name, files in groups.items() if not known or name in known}


def split_of(stem: str) -> tuple[str, bool]:
    """The split that a table's or a folder's name tells, and whether it does so in a usual way."""
    shard = _SHARD.search(stem)
    base = stem[: shard.start()] if shard else stem
    plain = base.casefold()
    for word in (plain, plain.split("-")[0], re.split("[-_.]", plain)[-1]):
        if (name := _OTHER_NAMES.get(word, word)) in SPLITS:
            return name, True
    if shard and shard[1]:  # a name of its own, as "unsupervised-00000-of-00001"
        return base or "train", True
    return base or "train", False


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.name[0] not in "._" and one.is_dir())


def _tables(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        ours = suffix_of(file, suffixes) and not file.name.startswith(".")
        if ours and not _DESCRIBES.fullmatch(file.name) and file.is_file():
            yield file
