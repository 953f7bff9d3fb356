"""What an owner should know of a marked copy, before it is written and after."""

from collections.abc import Mapping, Sequence

from datadeed.keys.generation2 import Design2
from datadeed.owner.data import Note, Source, named
from datadeed.owner.release import order
from datadeed.owner.release.edits import Manner, Release
from datadeed.owner.release.release import REORDERED
from datadeed.owner.release.rows import Items

SHOWN = 5  # names in a line


def warn(data: Items, manner: Manner, note: Note, *, instead: str) -> None:
    """Say, before anything is written, where labels that change would be seen without a key.

    Args:
        data: in which labels are to change.
        manner: of the release.
        note: takes the lines.
        instead: what else an owner may do, at the end of a line.
    """
    in_one_file = data.format not in ("imagefolder", "wavfolder")
    if in_one_file and order.tells(data.labels):
        if manner.reorder and data.format in REORDERED:
            note(
                "the rows stand in an order in which a changed label is seen: those that change "
                "it, and about as many others, stand at other places of the copy"
            )
        else:
            note(
                "the rows stand in an order in which a changed label is seen, and keep it: shuffle "
                f"them before you commit, or {instead}"
            )


def warn_few(design: Design2, rows: int, marked: int, note: Note) -> None:
    """Say where the parts get fewer rows than were planned: labels stay, and those of a class end.

    Args:
        design: of the key.
        rows: of the data; ``marked`` of them carry a mark.
        note: takes the line.
    """
    planned = design.marks(rows) // design.parts * design.parts
    if marked < planned:
        note(
            f"{marked} rows are marked and not {planned}: parts that drew the same class share its "
            "rows, and each of them gets fewer marks than planned; verify a model of your own, "
            "trained on the copy, before you release it"
        )


def advise(done: Release, note: Note, *, modality: str = "image", bound: int | None = None) -> None:
    """Say what an owner should know of a copy.

    Args:
        done: what its writing did.
        note: takes the lines.
        modality: of the samples.
        bound: of a perturbation in 255ths, if there was one.
    """
    if done.max_difference:
        beside = f"; the perturbation itself is at most {bound}" if bound else ""
        note(
            f"JPEG changed the marked pixels by {done.mark_difference:.1f} of 255 on average and "
            f"by {done.max_difference} at most{beside}: train a model on the copy and verify it "
            "before you release it"
        )
    if done.odd_rows and modality == "text":
        note(f"{len(done.odd_rows)} marked texts have quotes around them, unlike the file's others")
    elif done.odd_rows:
        note(f"{len(done.odd_rows)} marked images have other file headers than before")
    if done.worded:
        note(
            "file names follow no scheme and were kept: a word in one may tell the class that an "
            "image was in before its label changed; number the files, and mark them again"
        )
    if done.listed_in:
        listing = ", ".join(done.listed_in)
        note(f"{listing}: names images whose name or label changed, and was copied as is")
    if done.left_out:
        note(
            f"left out of the copy: {_shown(done.left_out)}; samples may lie there as they were "
            "before they were marked"
        )


def read_as(data: Items, source: Source, split: str | None, note: Note) -> None:
    """Say what was understood of a dataset, before anything is made of it.

    Args:
        data: one split of it.
        source: where it is.
        split: its name, if there are several.
        note: takes the lines.
    """
    which = f", split {split!r}" if split else ""
    kinds = f", {_counts(data.kinds)}" if len(data.kinds) > 1 else ""
    note(
        f"read {named(source)} as {data.format}{which}: {data.rows} rows of {len(data.classes)} "
        f"classes ({_shown(data.classes)}){kinds}"
    )
    if data.beside:
        text = "other files beside the samples are no rows, and get no marks"
        note(f"{text}: {_counts(data.beside)}")


def _counts(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _shown(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
