"""Faces, a class a person, from a local folder; pickles (such as Olivetti's) are not read.

Two layouts: a folder of one folder a person with image files in it (AT&T's ``s1/1.pgm``, LFW's), or
CelebA's ``identity_CelebA.txt`` with ``img_align_celeba/``, also in its ``Anno/`` and ``Img/``.
``people`` takes that many with the most images; whoever has fewer than five is left out. Every
fifth image of a person, by name, is for testing. ``colour: true`` reads RGB, else all are grey.
"""

import functools
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import class_folders
from datadeed.datasets.formats.images import SUFFIXES, file_blocks
from datadeed.datasets.formats.split import Split
from datadeed.datasets.places import COMMON, Place, Request, Splits, first
from datadeed.errors import DatasetError, ParameterError, reason

OPTIONS = COMMON | {"people", "colour"}
FOLDERS = ("faces", "att_faces", "orl_faces", "celeba", "CelebA", "lfw")
IDENTITIES, ALIGNED = "identity_CelebA.txt", "img_align_celeba"
FIFTH = 5
# Each person's files.
People = dict[str, list[Path]]


def open_source(request: Request) -> Splits:
    """Both splits.

    Raises:
        ParameterError: ``people`` is no whole number from 2, or ``colour`` is no truth value.
        FetchError: no folder has faces, or those there cannot be used; the line says why.
    """
    people, colour = request.options.get("people"), request.options.get("colour", False)
    if people is not None and (type(people) is not int or people < 2):
        raise ParameterError(f"option 'people' is {people!r}: give a whole number from 2")
    if type(colour) is not bool:
        raise ParameterError(f"option 'colour' is {colour!r}: give true or false")
    places: list[Place] = [
        (str(path), functools.partial(_splits, path, people, 3 if colour else 1, request.size))
        for path in request.candidates(*FOLDERS)
        if _listing(path) or _by_folder(path)
    ]
    title = f"faces (a folder a person in faces/, or {IDENTITIES} and {ALIGNED}/ in celeba/)"
    return first(title, places)


def _splits(path: Path, people: int | None, channels: int, size: int | None) -> Splits:
    """Both splits of the people with the most images, named in order."""
    found = _by_list(path) if _listing(path) else _by_folder(path)
    enough = {name: sorted(files) for name, files in found.items() if len(files) >= FIFTH}
    most = sorted(enough, key=lambda name: (-len(enough[name]), name))[:people]
    if len(most) < 2:
        raise DatasetError(f"{path} has {len(most)} people with five images or more, not two")
    names = sorted(most)
    every = _split(path, names, enough)
    place = {file: number for files in enough.values() for number, file in enumerate(files)}
    last = np.array([place[file] % FIFTH == FIFTH - 1 for file in every.files])
    return {
        name: file_blocks(every.take(np.flatnonzero(rows)), channels=channels, size=size)
        for name, rows in (("train", ~last), ("test", last))
    }


def _split(path: Path, names: list[str], files: People) -> Split:
    return class_folders.in_order(
        "image",
        [str(file) for name in names for file in files[name]],
        np.repeat(np.arange(len(names)), [len(files[name]) for name in names]),
        root=path,
        classes=tuple(names),
        folders=(),
        scratch=None,
    )


def _by_folder(path: Path) -> People:
    """The image files right in each sub-folder: a folder of data sets is no folder of people."""
    found = {
        name: [
            file
            for file in (path / name).iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        ]
        for name in class_folders.folders(path)
    }
    return {name: files for name, files in found.items() if files}


def _listing(path: Path) -> Path | None:
    """CelebA's list of identities, if it is here."""
    places = (path / IDENTITIES, path / "Anno" / IDENTITIES)
    return next((file for file in places if file.is_file()), None)


def _by_list(path: Path) -> People:
    """The files that CelebA's list gives each person.

    Raises:
        DatasetError: the list cannot be read, or the images are not beside it.
    """
    listing = _listing(path)
    assert listing is not None
    folder = next((f for f in (path / ALIGNED, path / "Img" / ALIGNED) if f.is_dir()), None)
    if folder is None:
        raise DatasetError(f"{path} has {IDENTITIES} but no {ALIGNED}/: put the images there")
    found: People = {}
    try:
        lines = listing.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{listing} has no text ({reason(error)}): fetch it again") from error
    for number, line in enumerate(lines, 1):
        if not (words := line.split()):
            continue
        name = Path(words[0])
        # A name in the images' folder: no other file of this machine is opened.
        if len(words) != 2 or name.suffix.lower() not in SUFFIXES or name.name != words[0]:
            raise DatasetError(f"{listing}, line {number} is not an image's name and a person")
        found.setdefault(words[1], []).append(folder / name)
    return found
