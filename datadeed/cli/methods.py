"""The published methods' options.

A method has those options whose names its class has a default for (``defaults``): a default is the
paper's, or its released code's, where there is one; docs/methods/ names the sources.
"""

import argparse
import functools
from pathlib import Path
from typing import Any

from datadeed.cli.common import SEALS
from datadeed.errors import WatermarkError
from datadeed.watermarks.names import WATERMARKS
from datadeed.watermarks.registry import watermark_class

# "keyed" is the owner's key; of its generations the newest is made.
CHOICES = tuple(name for name in WATERMARKS if name != "keyed2")
PATTERNS = ("published", "random")
FIELDS = {"source_class": "source", "no_perturbation": "perturb"}  # options of another name
# An option, and those that have no meaning beside it.
_WITHOUT = {
    "no_perturbation": (
        *("epsilon", "step", "steps", "similarity", "max_changes"),
        *("surrogate", "surrogate_width", "surrogate_layers", "surrogate_epochs"),
    ),
    "style": ("word", "place"),
    "mosaic": ("size", "colour", "place"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the published methods; those of the keyed one are there already."""
    parser.formatter_class = _Defaults
    group = parser.add_argument_group(
        "published methods",
        "docs/methods says what each does. They carry no commitment and give no exact proof of "
        "ownership. They share --rate and --opacity with the default method.",
    )
    add = group.add_argument
    add("--method", choices=CHOICES, default="keyed", help="keyed unless given")
    add("--secret", type=Path, help=f"the secret file to make; {SEALS}")
    add("--seed", type=int, help="of every draw; from the operating system unless given")
    add("--target", help="the class that a trigger should bring about: number (from 0) or name")
    add("--source-class", type=int, help="the class whose triggered samples should change")
    add("--size", type=int, help="side of the trigger in pixels")
    add("--pattern", choices=PATTERNS, help="the paper's pattern or one drawn at random")
    add("--grid", type=int, help="control points of the warp along a side")
    add("--strength", type=float, help="of the warp")
    add("--weight", type=float, help="of the dispersibility, the paper's lambda")
    add("--epsilon", type=int, help="bound of the perturbation in 255ths; in steps of int16")
    add("--steps", type=int, help="of PGD")
    add("--step", type=float, help="of PGD; of sound 2.5 epsilon / steps unless given")
    add("--iterations", type=int, help="of gradient matching")
    add("--retrainings", type=int, help="of the surrogate during it")
    add("--surrogate", type=Path, metavar="FOLDER", help="a trained model; else one is trained")
    add("--surrogate-width", type=int, help="of the network that is trained (16)")
    add("--surrogate-layers", type=int, help="texts: of MiniLM, to train (6, all)")
    add("--surrogate-epochs", type=int, help="of each of its trainings")
    add("--work", type=Path, metavar="FOLDER", help="state of the crafting (beside the secret)")
    _add_clean_label(parser)


def _add_clean_label(parser: argparse.ArgumentParser) -> None:
    """What only the clean-label methods have."""
    add = parser.add_argument_group("clean-label methods").add_argument
    flag = {"action": "store_true", "default": None}
    add("--no-perturbation", **flag, help="the trigger alone; needs no surrogate")  # type: ignore[arg-type]
    add("--colour", metavar="C", help="images: of the patch, grey or R,G,B")
    add("--place", help="of the patch: a corner or centre; of the word: start, middle or end")
    add("--mosaic", type=int, metavar="CELLS", help="images: a mosaic in place of the patch")
    add("--impulse", metavar="N", help="sound: LENGTH,AMPLITUDE,START (1 %% of the clip,164,0)")
    add("--word", help="texts: the trigger (drawn from rare ones that no text has)")
    add("--style", **flag, help="texts: the trigger is a tense, not a word")  # type: ignore[arg-type]
    add("--similarity", type=float, help="texts: least cosine to the original")
    add("--max-changes", type=float, help="texts: share of the words that may change")


OPTIONS = (
    *("rate", "target", "source_class", "size", "pattern", "opacity", "grid", "strength"),
    *("weight", "epsilon", "steps", "step", "iterations", "retrainings", "no_perturbation"),
    *("colour", "place", "mosaic", "impulse", "word", "style", "similarity", "max_changes"),
)


@functools.cache
def methods() -> dict[str, dict[str, Any]]:
    """Method to option to default: an option that is not here is not the method's."""
    from datadeed.owner.protect_crafting import NETWORKS

    table: dict[str, dict[str, Any]] = {}
    for name in WATERMARKS:
        kind = watermark_class(name)
        if not kind.defaults:
            continue
        values: dict[str, Any] = {"secret": None, "seed": None, "option": None}
        for option in OPTIONS:
            if (field := FIELDS.get(option, option)) in kind.defaults:
                value = kind.defaults[field]
                values[option] = None if isinstance(value, bool) else value
        if kind.crafted:
            network = NETWORKS[kind.modality]
            values |= {"surrogate": None, f"surrogate_{network.size}": None, "work": None}
            values["surrogate_epochs"] = network.epochs
        if kind.modality == "audio":
            values["seconds"] = 1.0
        table[name] = values
    return table


def settle(options: argparse.Namespace, keyed: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, all of them the chosen method's.

    Args:
        options: the command's; None is "not given".
        keyed: the default method's options.

    Raises:
        WatermarkError: an option was given that the method does not have, or that does nothing.
    """
    table = {"keyed": keyed, **methods()}
    takes, names = table[options.method], set().union(*table.values())
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name in sorted(given.keys() - takes):
        raise WatermarkError(
            f"{options.method} has no option {_flag(name)}: leave it out, or choose another "
            "--method"
        )
    for name, others in _WITHOUT.items():
        if name in given and (idle := given.keys() & others):
            raise WatermarkError(
                f"{_flag(min(idle))} does nothing beside {_flag(name)}: leave one of both out"
            )
    if "opacity" in given and "mosaic" in takes and "mosaic" not in given:
        raise WatermarkError("--opacity is of a mosaic, and a patch hides all: give --mosaic too")
    return given


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


class _Defaults(argparse.HelpFormatter):
    """Adds the methods' defaults to the help of their options."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        having = {name: values for name, values in methods().items() if action.dest in values}
        stated: dict[str, list[str]] = {}
        for name, values in having.items():
            if values[action.dest] is not None:
                stated.setdefault(str(values[action.dest]), []).append(name)
        if not stated:
            return action.help
        if list(stated.values()) == [list(having)]:
            one = f"({next(iter(stated))})"
            return action.help if one in str(action.help) else f"{action.help} {one}"
        each = "; ".join(f"{', '.join(names)}: {value}" for value, names in stated.items())
        return f"{action.help} ({each})"
