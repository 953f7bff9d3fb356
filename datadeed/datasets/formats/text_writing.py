"""Writing texts to one file of a split, in any of the text formats."""

from collections.abc import Callable, Sequence
from pathlib import Path

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import DatasetError
from datadeed.files import atomic_path


def target(dataset: Dataset, path: Path, split: str | None, suffixes: Sequence[str]) -> Path:
    """The file to write: ``path`` with one of the suffixes, or the split's in the folder ``path``.

    Raises:
        DatasetError: the samples are no texts, or a class has a blank name.
    """
    if not isinstance(dataset, Texts):
        raise DatasetError(
            f"samples of modality {dataset.modality!r} are no texts: name a format for them"
        )
    if not all(name.strip() for name in dataset.classes):
        raise DatasetError("a class has a blank name: name it")
    if path.suffix.lower() in suffixes:
        return path
    return path / f"{split or 'train'}{suffixes[0]}"


def write_split(
    dataset: Dataset,
    path: Path,
    split: str | None,
    suffixes: Sequence[str],
    *,
    head: str,
    line: Callable[[str, str], str],
) -> None:
    """Write a file of lines, UTF-8, atomically.

    Args:
        dataset: the texts.
        path, split, suffixes: as in :func:`target`.
        head: the first line.
        line: of a text and the name of its class.

    Raises:
        DatasetError: as :func:`target`.
        DatadeedError: the disk is full.
    """
    with (
        atomic_path(target(dataset, path, split, suffixes)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(head)
        for text, label in zip(dataset.samples, dataset.labels.tolist(), strict=True):
            file.write(line(text, dataset.classes[label]))
