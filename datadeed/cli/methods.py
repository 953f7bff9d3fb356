"""The published methods' options, and the watermark that they describe.

A default is the paper's, or its released code's, where there is one; docs/methods/ names the
sources.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.cli import clean_label
from datadeed.errors import WatermarkError

if TYPE_CHECKING:
    import torch

    from datadeed.datasets.form.dataset import Form
    from datadeed.watermarks.base import Watermark

PATTERNS = ("published", "random")

_ALL: dict[str, Any] = {"secret": None, "rate": 0.1, "seed": None}
_PATCH = _ALL | {"size": None, "pattern": "published"}
_TARGET = {"target": 1}
_CRAFTED = _ALL | {
    "surrogate": None,
    "surrogate_width": None,
    "surrogate_epochs": 4,
    "work": None,
}
_MATCHED = _CRAFTED | {
    "source_class": 0,
    "size": 8,
    "epsilon": 16,
    "iterations": 250,
    "retrainings": 5,
}
_CLEAN = _CRAFTED | {"rate": 0.05, "target": 1, "no_perturbation": None}
# Method to option to default: an option that is not here is not the method's.
METHODS: dict[str, dict[str, Any]] = {
    "badnets": _PATCH | _TARGET,
    "blended": _PATCH | _TARGET | {"opacity": 51},
    "wanet": _ALL | _TARGET | {"grid": 4, "strength": 0.5},
    "label-consistent": _CRAFTED | _TARGET | {"size": None, "epsilon": 8, "steps": 100},
    "sleeper-agent": _MATCHED | _TARGET,
    "ubw-p": _PATCH,
    "ubw-c": _MATCHED | {"pattern": "published", "weight": 2.0},
    "clean-label-images": _CLEAN
    | {"size": None, "colour": 255, "place": "bottom-right", "mosaic": None, "opacity": None}
    | {"epsilon": 16, "step": 4.0, "steps": 40},
    "clean-label-audio": _CLEAN
    | {"option": None, "seconds": 1.0, "impulse": None}
    | {"epsilon": 328, "step": None, "steps": 20, "surrogate_epochs": 20},
    "clean-label-text": {name: _CLEAN[name] for name in _CLEAN if name != "surrogate_width"}
    | {"option": None, "word": None, "place": "start", "style": None}
    | {"similarity": 0.8, "max_changes": 0.4, "surrogate_layers": None, "surrogate_epochs": 2},
}
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
    group = parser.add_argument_group(
        "published methods",
        "docs/methods says what each does. They carry no commitment and give no exact proof of "
        "ownership. They share --rate (0.1; clean-label: 0.05 of the target class) and, blended "
        "and clean-label-images with a mosaic, --opacity (51) with the default method.",
    )
    add = group.add_argument
    add("--method", choices=("keyed", *METHODS), default="keyed", help="keyed unless given")
    add("--secret", type=Path, help="the secret file to make")
    add("--seed", type=int, help="of every draw; from the operating system unless given")
    add("--target", help="the class that a trigger should bring about, a number or name (1)")
    add("--source-class", type=int, help="the class whose triggered samples should change (0)")
    add("--size", type=int, help="side of the trigger in pixels")
    add("--pattern", choices=PATTERNS, help="the paper's pattern or one drawn at random")
    add("--grid", type=int, help="wanet: control points along a side (4)")
    add("--strength", type=float, help="wanet: of the warp (0.5)")
    add("--weight", type=float, help="ubw-c: of the dispersibility, the paper's lambda (2)")
    add(
        "--epsilon",
        type=int,
        help="bound of the perturbation in 255ths (16; 8); of sound, in steps of int16 (328)",
    )
    add("--steps", type=int, help="of PGD (label-consistent 100, images 40, sound 20)")
    add("--step", type=float, help="of PGD (images 4; sound 2.5 epsilon / steps)")
    add("--iterations", type=int, help="of gradient matching (250)")
    add("--retrainings", type=int, help="of the surrogate during it (5)")
    add("--surrogate", type=Path, metavar="FOLDER", help="a trained model; else one is trained")
    add("--surrogate-width", type=int, help="of the network that is trained (16)")
    add("--surrogate-layers", type=int, help="texts: of MiniLM, to train (6, all)")
    add("--surrogate-epochs", type=int, help="of each of its trainings (4; sound 20, texts 2)")
    add("--work", type=Path, metavar="FOLDER", help="state of the crafting (beside the secret)")
    clean_label.add_options(parser)


def settle(options: argparse.Namespace) -> None:
    """Put the chosen method's defaults where nothing was given, in place.

    Raises:
        WatermarkError: an option was given that the method does not have.
    """
    takes, names = options.defaults[options.method], set().union(*options.defaults.values())
    given = {name for name in names if getattr(options, name) is not None}
    for name in sorted(given - set(takes)):
        raise WatermarkError(
            f"{options.method} has no option {_flag(name)}: leave it out, or choose another "
            "--method"
        )
    for name, others in _WITHOUT.items():
        if name in given and (idle := given.intersection(others)):
            raise WatermarkError(
                f"{_flag(min(idle))} does nothing beside {_flag(name)}: leave one of both out"
            )
    for name in names - given:
        setattr(options, name, takes.get(name))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def build(
    options: argparse.Namespace,
    form: "Form",
    labels: "torch.Tensor",
    classes: tuple[str, ...],
    seed: int,
    *,
    texts: Sequence[str] = (),
) -> "Watermark":
    """The watermark that settled options describe; what can be checked early is checked.

    Args:
        options: the command's, after :func:`settle`.
        form: of what the watermark sees of each row.
        labels, classes: (N,) int64, of all rows, and their names.
        seed: of every draw.
        texts: all of them, if they are texts.

    Raises:
        WatermarkError: a value makes no sense for such data.
    """
    from datadeed.randomness import derive_seed
    from datadeed.watermarks.registry import build_watermark

    method, image_size = options.method, form.shape[1:]
    values: dict[str, Any] = {"rate": options.rate}
    if options.target is not None:
        values["target"] = target_label(options.target, classes)
    if method.startswith("clean-label"):
        values |= clean_label.values(options, form, texts, seed)
    if method in ("badnets", "blended", "ubw-p"):
        values["pattern"] = _square(options, image_size, seed)
    if method == "ubw-p":
        values["classes"] = len(classes)
    elif method == "wanet":
        values |= {"grid": options.grid, "strength": options.strength}
        values["seed"] = derive_seed(seed, "warp")
    elif method == "label-consistent":
        values["size"] = _side(options, image_size)
        values |= {"epsilon": options.epsilon, "step": 1.5, "steps": options.steps}
    if method in ("sleeper-agent", "ubw-c"):
        values |= _matched(options, len(labels), seed)
    elif form.modality == "image":
        values["image_size"] = image_size
    watermark = build_watermark(method, **values)
    watermark.check(form.modality, classes)
    _check_rows(watermark, labels, options.source_class)
    if form.modality == "image":
        _try_trigger(watermark, form.shape, classes)
    return watermark


def target_label(given: object, classes: tuple[str, ...]) -> int:
    """The label of a class that was given by number or by name; a label's number comes first.

    Raises:
        WatermarkError: no class has this name.
    """
    text = str(given)
    number = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    if number is not None and (0 <= number < len(classes) or text not in classes):
        return number
    if text not in classes:
        raise WatermarkError(
            f"no class is named {text!r}: the target is one of {', '.join(classes[:12])}"
            f"{', ...' * (len(classes) > 12)}, or a label's number"
        )
    return classes.index(text)


def _check_rows(watermark: "Watermark", labels: "torch.Tensor", source: int | None) -> None:
    from datadeed.watermarks.crafted import Crafted

    if isinstance(watermark, Crafted):
        watermark.marks(labels)
    if source is not None and not bool((labels == source).any()):
        raise WatermarkError(f"no row has the source class {source}: choose one that occurs")


def _side(options: argparse.Namespace, image_size: tuple[int, ...]) -> int:
    """Of the square: 3 pixels on CIFAR-10's 32, as published, and in proportion elsewhere."""
    return int(options.size or 3 * max(1, min(image_size) // 32))


def _square(options: argparse.Namespace, image_size: tuple[int, ...], seed: int) -> dict[str, Any]:
    """The white-black square, as published or with cells drawn at random."""
    spec: dict[str, Any] = {"kind": "square", "size": _side(options, image_size)}
    if options.opacity is not None:
        spec["alpha"] = options.opacity
    if options.pattern == "random":
        spec["cells"] = _random_cells(3, seed)
    return spec


def _random_cells(side: int, seed: int) -> list[list[int]]:
    """(side, side) cells, each black or white with probability one half."""
    import torch

    from datadeed.randomness import generator

    if side < 1:
        raise WatermarkError(f"a trigger of size {side}: give 1 pixel or more")
    draw = torch.randint(0, 2, (side, side), generator=generator(seed, "pattern"))
    cells: list[list[int]] = (draw * 255).tolist()
    return cells


def _matched(options: argparse.Namespace, rows: int, seed: int) -> dict[str, Any]:
    """What Sleeper Agent and UBW-C share, and what each has alone."""
    from datadeed.randomness import derive_seed
    from datadeed.triggers.image import SQUARE

    if options.method == "sleeper-agent":
        cells = _random_cells(options.size, seed)  # a cell a pixel
    elif options.pattern == "random":
        cells = _random_cells(3, seed)
    else:
        cells = [list(row) for row in SQUARE]
    values: dict[str, Any] = {
        "source": options.source_class,
        "sources": rows if options.method == "ubw-c" else 1000,  # rows: the whole source class
        "cells": cells,
        "size": options.size,
        "seed": derive_seed(seed, "crafted"),
        "matching": {
            "epsilon": options.epsilon,
            "iterations": options.iterations,
            "retrainings": options.retrainings,
        },
    }
    if options.method == "ubw-c":
        values["weight"] = options.weight
    return values


def _try_trigger(watermark: "Watermark", shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
    """A trigger that does not fit is an error now, not after an hour of crafting."""
    import torch

    from datadeed.datasets.form.dataset import Dataset

    zero = torch.zeros(1, dtype=torch.int64)
    watermark.trigger(Dataset(torch.zeros(1, *shape, dtype=torch.uint8), zero, zero, classes))
