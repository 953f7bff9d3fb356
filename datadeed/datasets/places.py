"""What a source is asked for, where it may look, and how it tries one place after the other."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadeed.datasets.download import LOCAL
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.registry import Format
from datadeed.errors import DatadeedError, FetchError

COMMON = frozenset({"path", "size"})  # options of images
Splits = dict[str, Blocks]
Place = tuple[str, Callable[[], Splits]]


@dataclass(frozen=True)
class Request:
    """What a source is asked for.

    Attributes:
        options: the dataset's entry in the parameter file, without ``source`` and sizes.
        cache: the folder for downloads.
        local: folders that may hold the dataset, looked through in order.
    """

    options: Mapping[str, Any]
    cache: Path
    local: Sequence[Path]

    @property
    def size(self) -> int | None:
        """The (size, size) to scale and crop images to, if any."""
        return self.options.get("size")

    def candidates(self, *names: str) -> list[Path]:
        """Option ``path`` itself and ``names`` inside each local folder, as far as they exist."""
        given = [Path(self.options["path"])] if self.options.get("path") else []
        inside = [base / name for base in [*given, *self.local] for name in names]
        return [path for path in [*given, *inside] if path.exists()]


def first(title: str, places: Sequence[Place]) -> Splits:
    """The splits from the first place that has them.

    Raises:
        FetchError: none has; the line names each and why.
    """
    failures = [] if places else ["local folders (none holds it)"]
    for name, attempt in places:
        try:
            return attempt()
        except (DatadeedError, OSError) as error:
            failures.append(f"{name} ({str(error)[:200]})")
    raise FetchError(
        f"{title} was not found; tried: {'; '.join(failures)}; put it in a folder and name that in "
        f"{LOCAL} or as option 'path'"
    )


def local_places(
    paths: Sequence[Path], open_place: Callable[[Path], Splits], usual: Format
) -> list[Place]:
    """Those of the paths that hold data of some format, to be opened.

    Args:
        paths: existing ones.
        open_place: gives the splits of a place.
        usual: the format to expect; others are imported only if it is not that.
    """
    return [
        (str(path), functools.partial(open_place, path))
        for path in paths
        if usual.matches(path)
        or any(formats.module(name).matches(path) for name in formats.FORMATS)
    ]


def both(path: Path, usual: Format, **options: Any) -> Splits:
    """The splits ``train`` and ``test`` of one place; options as :func:`formats.chunks`."""
    names = ("train", "test")
    if usual.matches(path):
        return {name: usual.blocks(usual.open_split(path, name), **options) for name in names}
    return {name: formats.chunks(path, split=name, **options) for name in names}
