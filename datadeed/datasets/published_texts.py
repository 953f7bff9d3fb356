"""Benchmarks of texts as they are published: in Hugging Face Parquet, in local folders."""

from pathlib import Path

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats import text_parquet
from datadeed.datasets.formats.text_columns import Unlabelled
from datadeed.datasets.places import Request, Splits, first, local_places

OPTIONS = frozenset({"path", "text", "label", "drop_empty"})


def open_published(title: str, request: Request, *folders: str) -> Splits:
    """Both splits, from the first of some local folders that has them (in any format of texts)."""
    options = {name: value for name, value in request.options.items() if name != "path"}

    def splits(path: Path) -> Splits:
        try:
            test = formats.chunks(path, split="test", **options)
        except Unlabelled:  # the test labels are kept back (GLUE)
            test = formats.chunks(path, split="validation", **options)
        return {"train": formats.chunks(path, split="train", **options), "test": test}

    return first(title, local_places(request.candidates(*folders), splits, text_parquet))
