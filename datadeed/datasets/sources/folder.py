"""Any local path in any format. ``train`` and ``test`` are the splits' names there."""

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.places import Request, Splits
from datadeed.errors import ParameterError

_OWN = ("path", "train", "test")
# Each format knows some of the rest, and refuses the others.
OPTIONS = frozenset({*_OWN, "format", "classes", "damaged", "size", "rate", "seconds", "offset"})
OPTIONS |= {"text", "image", "file", "label", "encoding", "drop_empty"}


def open_source(request: Request) -> Splits:
    """Both splits of option ``path``."""
    if not request.options.get("path"):
        raise ParameterError("source 'folder' needs option 'path': name the data's file or folder")
    others = {name: value for name, value in request.options.items() if name not in _OWN}
    return {
        name: formats.chunks(
            request.options["path"], split=request.options.get(name, name), **others
        )
        for name in ("train", "test")
    }
