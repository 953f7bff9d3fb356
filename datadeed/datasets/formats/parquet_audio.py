"""Hugging Face Parquet of sound: files in a column of ``struct<bytes, path>``, and a label.

The files are WAV or FLAC. The column is called ``audio``, or the metadata say that it is audio.
"""

from pathlib import Path

from datadeed.datasets.formats import clips, parquet_files, sound
from datadeed.datasets.formats.damaged import REFUSE
from datadeed.datasets.formats.split import Columns, Split
from datadeed.errors import DatasetError

blocks = clips.blocks
_NAME = "audio"


def matches(path: Path) -> bool:
    """Whether ``path`` is a Parquet file, or a folder of them, with a column of sound."""
    files = parquet_files.shards(path)
    try:
        return bool(files) and _audio_column(files[0]) is not None
    except DatasetError:
        return False  # damaged: the next format says so


def open_split(
    path: Path, split: str | None = None, *, label: str | None = None, damaged: str = REFUSE
) -> Split:
    """One split; arguments and errors as :func:`parquet_files.open_files`.

    Args:
        path, split: as there.
        label: the column of integers, strings or booleans; found by usual names
            (:data:`parquet_files.LABEL`) if None.
        damaged: as there.
    """

    def chosen(file: Path) -> Columns:
        schema, audio = parquet_files.schema_of(file), _audio_column(file)
        if audio is None:
            raise DatasetError(
                f"{file} has columns {', '.join(schema.names)[:120]}: a column of sound ({_NAME}, "
                "of struct<bytes, path>) and one of labels are needed"
            )
        labels = parquet_files.pick(schema, file, "label", label, parquet_files.LABEL)
        return Columns((audio,), labels)

    return parquet_files.open_files(
        "audio", path, split, chosen, damaged=damaged, fault=sound.fault
    )


def _audio_column(file: Path) -> str | None:
    """The first column of files that is called audio, or that the metadata call so."""
    schema = parquet_files.schema_of(file)
    said = parquet_files.features(schema)
    for field in schema:
        kind = said.get(field.name)
        declared = isinstance(kind, dict) and kind.get("_type") == "Audio"
        if parquet_files.holds_files(field.type) and (field.name == _NAME or declared):
            return str(field.name)
    return None
