"""Write a marked copy of a dataset in its own format, encoder and metadata.

Where labels change, file names are drawn anew in their classes, and so is an order that would tell.

Makes the key and the commitment first if the key file does not exist. A key that names a beacon
needs its value: --beacon-value. With --method a published watermark is used instead: it takes
--secret in place of --key, and no commitment is made.
"""

import argparse
import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.cli.commit import DESIGN, SETTINGS, add_design, make_key
from datadeed.cli.common import (
    SEALS,
    add_data,
    add_reading,
    note,
    passphrase,
    progress,
    reading,
    say,
    show,
)
from datadeed.cli.methods import FIELDS, OPTIONS, add_options, settle
from datadeed.errors import KeyRecordError, WatermarkError

if TYPE_CHECKING:
    from datadeed.keys.key import Key
    from datadeed.owner.protect_published import Marked
    from datadeed.owner.release.edits import Manner

# The default method's options; --rate and --opacity are also other methods'.
KEYED = (
    *("key", "beacon_value", "pool", "pool_split", "option", *DESIGN, *SETTINGS),
    *("beacon", "commitment", "timestamp"),
)
LINE_EVERY = 60.0  # seconds between lines where there is no terminal for a bar


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_data(parser)
    add_reading(parser)
    parser.add_argument("--out", type=Path, required=True, help="the marked copy to make")
    about = f"the secret file, which is made if it does not exist; {SEALS}"
    parser.add_argument("--key", type=Path, help=about)
    parser.add_argument("--beacon-value", help="hexadecimal, of the round that the key names")
    parser.add_argument(
        "--keep-order",
        action="store_true",
        help="rows keep their places in a file, even where their order tells which labels changed",
    )
    parser.add_argument(
        "--keep-jpegs",
        action="store_true",
        help="unmarked JPEGs keep their bytes; how often a file was encoded may then tell the rest",
    )
    add_design(parser)
    keyed = {name: parser.get_default(name) for name in KEYED}
    add_options(parser)
    # None is "not given": an option of another method is refused, never ignored.
    parser.set_defaults(**dict.fromkeys(KEYED), keyed=keyed, wrong_usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """The command."""
    given = settle(options, options.keyed)
    needed = "key" if options.method == "keyed" else "secret"
    if getattr(options, needed) is None:
        if needed == "key":
            from datadeed.owner.data import check_markable, open_data

            data, _ = open_data(options.source, options.split, **reading(options.option))
            check_markable(data, options.source)
        options.wrong_usage(f"the following arguments are required: --{needed}")
    if options.method != "keyed":
        return _run_published(options, given)
    for name, value in (options.keyed | given).items():
        setattr(options, name, value)
    return _run_keyed(options)


def _run_keyed(options: argparse.Namespace) -> int:
    """The default method."""
    from datadeed.owner.protect import protect, set_beacon
    from datadeed.owner.release.release import check_places, check_readable

    fresh, key = not options.key.exists(), None
    if fresh:
        check_readable(options.source, options.out)
        check_places(options.source, options.out)
        key = _new_key(options)
    elif options.beacon_value is not None:
        places = (options.source, options.out)
        set_beacon(options.key, options.beacon_value, forbidden=places, passphrase=passphrase())
    made = protect(
        options.source,
        options.out,
        key or options.key,
        split=options.split,
        reading=reading(options.option),
        pool=options.pool,
        pool_split=options.pool_split,
        measured=fresh,
        manner=_manner(options),
        passphrase=passphrase(),
        progress=progress,
        note=note,
    )
    commitment = made.key.commitment
    value = {"out": str(made.out), "commitment": commitment, **dataclasses.asdict(made.release)}
    text = f"{made.out}: {made.marked} of {made.rows} rows carry the trigger of one of "
    text += f"{made.key.design.parts} parts"
    show(options, value, f"{text}\ncommitment {commitment}")
    return 0


def _manner(options: argparse.Namespace) -> "Manner":
    """What is done so that marked rows do not stand out."""
    from datadeed.owner.release.edits import Manner

    return Manner(reorder=not options.keep_order, jpegs=not options.keep_jpegs)


def _new_key(options: argparse.Namespace) -> "Key":
    """A key that is made now.

    Raises:
        KeyRecordError: it waits for its beacon.
    """
    key = make_key(options, forbidden=options.out)
    say(f"commitment {key.commitment}: publish it before the data")
    if key.beacon is not None:
        raise KeyRecordError(
            f"the key waits for round {key.beacon.round} of {key.beacon.source!r}: run again "
            "with --beacon-value when it is out"
        )
    return key


def _run_published(options: argparse.Namespace, given: dict[str, Any]) -> int:
    """One of the published methods."""
    from datadeed.owner.protect_crafting import SurrogateChoice
    from datadeed.owner.protect_published import protect_published

    size = given.get("surrogate_width", given.get("surrogate_layers"))
    surrogate = SurrogateChoice(options.surrogate, size, options.surrogate_epochs)
    with _bar(f"craft {options.method}") as on_step:
        made = protect_published(
            options.method,
            options.source,
            options.out,
            options.secret,
            _values(given),
            split=options.split,
            seed=options.seed,
            surrogate=surrogate,
            work=options.work,
            seconds=given.get("seconds", 1.0),
            reading=reading(options.option),
            manner=_manner(options),
            passphrase=passphrase(),
            progress=progress,
            note=note,
            on_step=on_step,
        )
    _show_published(options, made)
    return 0


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """The method's own values among what was given."""
    own = {FIELDS.get(name, name): given[name] for name in OPTIONS if name in given}
    if "perturb" in own:
        own["perturb"] = False
    if "colour" in own:
        colour = _numbers(own["colour"], "colour", (1, 3))
        own["colour"] = colour if len(colour) > 1 else colour[0]
    if "impulse" in own:
        own["impulse"] = _numbers(own["impulse"], "impulse", (1, 2, 3))
    return own


def _numbers(given: str, option: str, counts: Sequence[int]) -> list[int]:
    parts = given.split(",")
    if len(parts) not in counts or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise WatermarkError(
            f"--{option} is {given!r}: give {' or '.join(map(str, counts))} whole numbers with "
            "commas between them"
        )
    return [int(part) for part in parts]


def _show_published(options: argparse.Namespace, made: "Marked") -> None:
    """The result."""
    method, facts, target = made.watermark.name, made.facts, made.watermark.target
    value = {
        "out": str(made.out),
        "secret": str(made.secret),
        "method": method,
        "marked": len(made.positions),
        "rows": made.rows,
        "target": target,
        "facts": facts,
        "merkle_root": made.merkle_root,
        "limits": made.limits,
        **dataclasses.asdict(made.release),
    }
    text = f"{made.out}: {len(made.positions)} of {made.rows} rows are marked with {method}"
    if target is not None:
        text += f" for {made.classes[target]!r}"
    if "fooled" in facts:
        text += (
            f"\nthe perturbation misleads the surrogate on {facts['fooled']} of {facts['marks']} "
            f"marks; without it {facts['wrong_before']} were wrong"
        )
    text += f"\nsecret {made.secret}: keep it, and a copy of it"
    show(options, value, f"{text}\n{made.limits}")


@contextlib.contextmanager
def _bar(text: str) -> Iterator[Callable[[int, int, str, bool], None]]:
    """A bar with the time left, or a line a minute where there is no terminal."""
    from tqdm import tqdm

    with contextlib.ExitStack() as stack:
        bar: Any = None
        start = said = time.monotonic()
        first = 0

        def told(done: int, total: int, note: str, resumed: bool) -> None:
            nonlocal bar, start, said, first
            if bar is None:
                bar = stack.enter_context(tqdm(desc=text, unit=" steps", disable=None, leave=False))
                start = said = time.monotonic()
            bar.total = total
            if resumed:
                bar.initial = bar.n = first = done
            bar.set_postfix_str(note, refresh=False)
            bar.update(done - bar.n)
            now = time.monotonic()
            if bar.disable and now - said > LINE_EVERY:
                said = now
                left = (total - done) * (now - start) / max(done - first, 1)
                ahead = f", about {left:.0f} s left" if done > first else ""
                say(f"{text}: {done} of {total}, {note}{ahead}")

        yield told
