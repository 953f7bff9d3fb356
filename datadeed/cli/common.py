"""What several commands share: options, the passphrase, progress, and how a result is shown."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datadeed.errors import DatasetError

PASSPHRASE = "DATADEED_PASSPHRASE"
OPENS = f"{PASSPHRASE} in the environment opens it, if it is sealed"  # helps of secret files
SEALS = f"{PASSPHRASE} in the environment seals it"
COULD_NOT_TEST = 5  # exit code


def passphrase() -> str | None:
    """The passphrase of secret files, from the environment only; None if there is none."""
    return os.environ.get(PASSPHRASE) or None


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that name the data and the pool of images for verification."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the dataset to release")
    parser.add_argument("--split", help="the split to mark, where there are several (train)")
    add_pool(parser)


def add_pool(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """The options that name the pool."""
    about = "the samples that the key is bound to"
    if not required:
        about = "samples for verification, which need not be secret; by default the test split of "
        about += "SOURCE, or SOURCE itself"
    parser.add_argument("--pool", type=Path, required=required, help=about)
    parser.add_argument("--pool-split", help="the split of the pool, where there are several")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """What only the format of the data knows."""
    parser.add_argument(
        "--option",
        action="append",
        metavar="NAME=VALUE",
        help="of the data's format: label, and text or image (columns), encoding, drop_empty; "
        "folders: classes (repeat for several)",
    )
    parser.add_argument(
        "--skip-damaged",
        dest="option",
        action="append_const",
        const="damaged=skip",
        help="leave damaged images and sounds out; a marked copy carries them over as they are",
    )


def reading(options: Sequence[str] | None) -> dict[str, Any]:
    """What ``--option NAME=VALUE`` says of a format; a value may be true or a JSON list.

    Raises:
        DatasetError: one has no name.
    """
    given: dict[str, Any] = {}
    for one in options or ():
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise DatasetError(f"--option is {one!r}: give NAME=VALUE, as text=review")
        given[name] = value
        with contextlib.suppress(ValueError):
            if isinstance(parsed := json.loads(value), bool | list):
                given[name] = parsed
    return given


def add_levels(parser: argparse.ArgumentParser) -> None:
    """The options that say what a verdict takes, for a plan and for a commitment."""
    from datadeed.keys.generation2 import Design2  # NumPy, which other commands may do without

    add = parser.add_argument
    usual = Design2.alpha, Design2.least_effect, Design2.budget
    add("--alpha", type=float, default=usual[0], help=f"level of a claim ({usual[0]})")
    add(
        "--least-effect",
        type=float,
        default=usual[1],
        help=f"success above decoys that NOT SUPPORTED excludes ({usual[1]})",
    )
    add("--budget", type=int, default=usual[2], help=f"counted questions ({usual[2]})")


def add_suspect(parser: argparse.ArgumentParser, out: str) -> None:
    """The options of a command that asks a suspect.

    Args:
        parser: of the command.
        out: what its folder is.
    """
    add = parser.add_argument
    add("--suspect", type=Path, required=True, help="its YAML file (docs/suspects.md), or a folder")
    add("--key", type=Path, required=True, help=f"the owner's secret file; {OPENS}")
    add_pool(parser, required=True)
    add_reading(parser)
    add("--out", type=Path, required=True, help=out)
    add("--suspects", type=int, default=1, help="asked under this key in all (%(default)s)")
    add("--keys", type=int, default=1, help="keys tried against it in all (%(default)s)")


def ask(job: Callable[..., Any], options: argparse.Namespace, **more: Any) -> Any:
    """What a job gives that asks a suspect: ``verify`` or ``watch`` of ``datadeed.owner``.

    Args:
        job: what to do.
        options: those of :func:`add_suspect`.
        more: what only this job takes.
    """
    return job(
        options.suspect,
        options.key,
        options.pool,
        options.out,
        pool_split=options.pool_split,
        reading=reading(options.option),
        suspects=options.suspects,
        keys=options.keys,
        passphrase=passphrase(),
        progress=progress,
        note=note,
        **more,
    )


@contextlib.contextmanager
def progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on a terminal; yields a function that takes what is done so far."""
    from tqdm import tqdm

    with tqdm(total=total, desc=text, unit_scale=True, disable=None, leave=False) as bar:

        def advance(done: int) -> None:
            bar.update(done - bar.n)

        yield advance


def printable(text: str, keep: str = "") -> str:
    r"""Text whose control characters, and what turns or hides text, show as escapes (``\x1b``).

    Names of files, classes and servers are a stranger's; raw, they could move a terminal's cursor.

    Args:
        text: to be shown.
        keep: characters that stay as they are.
    """
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def say(line: str) -> None:
    """A line for the user, who may be sending standard output elsewhere."""
    sys.stderr.write(f"{printable(line)}\n")


def note(line: str) -> None:
    """Something that the owner should know, and that stops nothing."""
    say(f"note: {line}")


def show(options: argparse.Namespace, value: dict[str, Any], text: str) -> None:
    """The result: JSON if asked for, else text."""
    if options.json:
        show_json(value)
    else:
        sys.stdout.write(printable(text, "\n") + "\n")


def show_evidence(options: argparse.Namespace, evidence: dict[str, Any], page: Path) -> None:
    """The evidence: JSON if asked for, else the verdict and where its page is."""
    if options.json:
        show_json(evidence)
        return
    from rich.console import Console

    from datadeed.owner.evidence.summary import summary

    Console().print(summary(evidence))
    Console().print(printable(str(page)), markup=False, highlight=False)


def show_json(value: Any) -> None:
    """One JSON value on standard output, in printable ASCII."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
    sys.stdout.write(text.replace("\x7f", r"\u007f") + "\n")


def fail(options: argparse.Namespace, message: str, code: int) -> int:
    """Print why there is no result, as the user asked for it."""
    if options.json:
        show_json({"error": message})
    say(f"error: {message}")
    return code
