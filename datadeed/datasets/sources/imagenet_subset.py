"""Some classes of ImageNet, from a local folder or Parquet of it.

Option ``classes`` is a number of classes, a list of WordNet ids, or a file of them.
"""

from pathlib import Path

from datadeed.datasets.formats import huggingface, imagefolder, images
from datadeed.datasets.formats.blocks import only_classes
from datadeed.datasets.places import COMMON, Request, Splits, both, first, local_places
from datadeed.errors import ParameterError

OPTIONS = COMMON | {"classes"}


def open_source(request: Request) -> Splits:
    """Both splits; the folder or split of validation is for testing."""
    wanted = _wanted_classes(request.options.get("classes"))
    found = request.candidates("imagenet", "ILSVRC/Data/CLS-LOC", "tiny-imagenet-50")
    places = local_places(found, lambda path: _open(path, request, wanted), imagefolder)
    return first("imagenet-subset", places)


def _open(path: Path, request: Request, wanted: list[str] | int | None) -> Splits:
    if not huggingface.matches(path):
        # The folder "test" of ImageNet has no labels, so "val" comes first.
        test = next((name for name in ("val", "validation") if (path / name).is_dir()), "test")
        return {
            name: images.blocks(
                imagefolder.open_split(path, split, classes=wanted), size=request.size
            )
            for name, split in (("train", "train"), ("test", test))
        }
    splits = both(path, huggingface, size=request.size)
    if wanted is None:
        return splits
    return {name: only_classes(blocks, wanted, path) for name, blocks in splits.items()}


def _wanted_classes(value: object) -> list[str] | int | None:
    """Option ``classes``: a number of classes, a list of WordNet ids, or a file of them."""
    if isinstance(value, str):
        try:
            lines = Path(value).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ParameterError(f"option 'classes' names {value}, which has no text") from error
        value = [line.split()[0] for line in lines if line.strip()]
    if value is None or (isinstance(value, int) and value >= 2):
        return value
    if isinstance(value, list) and len(value) >= 2 and len(set(map(str, value))) == len(value):
        return [str(name) for name in value]
    raise ParameterError(
        f"option 'classes' is {str(value)[:60]!r}: give a number, or a list or file of ids, of two "
        "different classes or more"
    )
