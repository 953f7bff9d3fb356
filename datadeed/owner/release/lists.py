"""Images that a table lists: the images at their places, and the table with their new labels."""

from datadeed.datasets.formats.csv_table import CsvTable
from datadeed.owner.release.edits import Job
from datadeed.owner.release.folders import write_files
from datadeed.owner.release.redrawing import edited_files
from datadeed.owner.release.styles import CsvStyle, JsonStyle
from datadeed.owner.release.text_records import Style, write_tables


def write(job: Job) -> None:
    """Write the images of one split and its table; rows of the table keep their places.

    Where a label changed, names of the classes concerned are dealt out anew (:meth:`Job.rename`),
    in the table as well.
    """
    found = job.reopen()
    (table,) = found.tables
    drawn = edited_files(job, found)
    renamed = job.rename(found.names)
    folder = job.place(table.file.path.parent)
    paths = [folder / renamed.get(row, name) for row, name in enumerate(found.names)]
    write_files(job, drawn, found.files[: len(found)], paths)
    style: Style = CsvStyle() if isinstance(table, CsvTable) else JsonStyle()
    write_tables(job, found, renamed, style)
