"""The clean-label methods' options as the watermark's own values.

Where the paper states nothing, a default is what worked; docs/methods/ says which.
"""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datadeed.cli.common import say
from datadeed.errors import WatermarkError
from datadeed.language.rare_words import RARE_WORDS

if TYPE_CHECKING:
    from datadeed.datasets.form.dataset import Form

COLOUR, OPACITY, AMPLITUDE = 255, 51, 164
MOVES = 2.5  # with all steps in one direction, PGD would go so many times its bound (Madry)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What only the clean-label methods have."""
    add = parser.add_argument_group("clean-label methods").add_argument
    flag = {"action": "store_true", "default": None}
    add("--no-perturbation", **flag, help="the trigger alone; needs no surrogate")  # type: ignore[arg-type]
    add("--colour", metavar="C", help="images: of the patch, grey or R,G,B (255)")
    add(
        "--place",
        help="of the patch: a corner or centre (bottom-right); of the word: start, "
        "middle or end (start)",
    )
    add("--mosaic", type=int, metavar="CELLS", help="images: a mosaic in place of the patch")
    add("--impulse", metavar="N", help="sound: LENGTH,AMPLITUDE,START (1 %% of the clip,164,0)")
    add("--seconds", type=float, help="sound: how much of each file a model hears (1)")
    add("--word", help="texts: the trigger (drawn from rare ones that no text has)")
    add("--style", **flag, help="texts: the trigger is a tense, not a word")  # type: ignore[arg-type]
    add("--similarity", type=float, help="texts: least cosine to the original (0.8)")
    add("--max-changes", type=float, help="texts: share of the words that may change (0.4)")
    add(
        "--option",
        action="append",
        metavar="NAME=VALUE",
        help="of the source's format: text, "
        "label, encoding, drop_empty; sound: classes (repeat for several)",
    )


def values(
    options: argparse.Namespace, form: "Form", texts: Sequence[str], seed: int
) -> dict[str, Any]:
    """What a clean-label watermark takes beside rate and target.

    Args:
        options: the command's, after :func:`datadeed.cli.methods.settle`.
        form: of what the watermark sees.
        texts: all texts, if they are texts: a trigger word should be in none of them.
        seed: of every draw.

    Raises:
        WatermarkError: a value makes no sense.
    """
    made: dict[str, Any] = {"perturb": not options.no_perturbation}
    if form.modality == "text":
        made |= {"similarity": options.similarity, "max_changes": options.max_changes}
        return made | {"pattern": _text_pattern(options, texts, seed)}
    step = options.step
    if step is None:
        step = MOVES * options.epsilon / max(options.steps, 1)
    made |= {"epsilon": options.epsilon, "step": step, "steps": options.steps}
    if form.modality == "audio":
        (length,) = form.shape
        made |= {"clip_length": length, "sample_rate": form.rate}
        return made | {"pattern": _impulse(options.impulse, length)}
    return made | {"pattern": _texture(options, form.shape[1:], seed)}


def _texture(options: argparse.Namespace, image_size: tuple[int, ...], seed: int) -> dict[str, Any]:
    """A mosaic if cells were given, else a patch."""
    from datadeed.randomness import derive_seed

    if options.mosaic is not None:
        alpha = OPACITY if options.opacity is None else options.opacity
        own_seed = derive_seed(seed, "mosaic")
        return {"kind": "mosaic", "cells": options.mosaic, "alpha": alpha, "seed": own_seed}
    if options.opacity is not None:
        raise WatermarkError("--opacity is of a mosaic, and a patch hides all: give --mosaic too")
    size = max(1, round(min(image_size) / 5)) if options.size is None else options.size
    colour = _numbers(options.colour, "colour", (1, 3))
    return {
        "kind": "patch",
        "size": size,
        "colour": colour if len(colour) > 1 else colour[0],
        "place": options.place,
    }


def _impulse(given: str | None, length: int) -> dict[str, Any]:
    """As given, LENGTH,AMPLITUDE,START; what is left out is as published."""
    numbers = [] if given is None else _numbers(given, "impulse", (1, 2, 3))
    default = (max(1, length // 100), AMPLITUDE, 0)
    chosen = (*numbers, *default[len(numbers) :])
    return {"kind": "impulse", "length": chosen[0], "amplitude": chosen[1], "start": chosen[2]}


def _numbers(given: object, option: str, counts: Sequence[int]) -> list[int]:
    parts = str(given).split(",")
    if len(parts) not in counts or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise WatermarkError(
            f"--{option} is {given!r}: give {' or '.join(map(str, counts))} whole numbers with "
            "commas between them"
        )
    return [int(part) for part in parts]


def _text_pattern(options: argparse.Namespace, texts: Sequence[str], seed: int) -> dict[str, Any]:
    """The style, or a word; one is drawn from those in none of the texts unless it was given."""
    if options.style:
        return {"kind": "style"}
    word = options.word
    if word is None:
        word = draw_word(texts, seed)
    elif there := sum(word.casefold() in _words(text) for text in texts):
        say(
            f"{there} of {len(texts)} texts have the word {word!r} already: a model may react to "
            "it without any mark; a rarer one proves more"
        )
    return {"kind": "word", "word": word, "place": options.place}


def draw_word(texts: Sequence[str], seed: int) -> str:
    """A rare word that is in none of the texts.

    Raises:
        WatermarkError: they have them all.
    """
    import torch

    from datadeed.randomness import generator

    left = set(RARE_WORDS)
    for text in texts:
        left -= _words(text)
    if not left:
        raise WatermarkError(
            f"the texts have all {len(RARE_WORDS)} words that the command knows: give a rarer one "
            "as --word"
        )
    draw = torch.randint(0, len(left), (), generator=generator(seed, "word"))
    return sorted(left)[int(draw)]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
