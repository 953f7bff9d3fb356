"""How many parts, marks and questions a proof needs, before anything is released.

Of a dataset that lies there, or of one whose numbers are given: --classes and --samples. The
warnings are those of ``commit``, which takes the same parts and rate, and refuses the same.
``--details`` plays proofs of such keys, and tells what was measured of each carrier.
A part of a key is a small random trigger and a random label; a mark is a row that carries a part's
trigger; the pool is the samples that suspects are asked about; E is what a claim weighs, and an
independent model reaches a million with a chance of one in a million.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.cli.common import add_levels, add_pool, add_reading, note, reading, show

if TYPE_CHECKING:
    from datadeed.owner.plan import Plan

KINDS = {"image": "images", "audio": "clips", "text": "texts"}  # in a pool
NUMBERS = ("classes", "samples", "modality", "size")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    from datadeed.keys.generation2 import CARRIERS

    add = parser.add_argument
    add("source", type=Path, nargs="?", metavar="SOURCE", help="the dataset to release")
    add("--split", help="the split to mark, where there are several (train)")
    add_pool(parser)
    add_reading(parser)
    add("--classes", type=int, help="without SOURCE: of the task, those that have rows")
    add("--samples", type=int, help="without SOURCE: rows that will be released")
    add("--modality", help="without SOURCE: of the samples (image)")
    add("--size", type=int, help="without SOURCE: shorter side of the images in pixels")
    add("--carrier", choices=tuple(CARRIERS), help="of the marks (the usual one)")
    add_levels(parser)
    add("--parts", type=int, help="fix the number of parts")
    add("--rate", type=float, help="fix the share of rows to mark")
    add("--few-marks", action="store_true", help="accept fewer than 40 marks a part")
    add("--details", action="store_true", help="also proofs that are played, and all carriers")
    parser.set_defaults(wrong_usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """The command."""
    given = {name: getattr(options, name) for name in NUMBERS}
    given = {name: value for name, value in given.items() if value is not None}
    names = ("carrier", "alpha", "least_effect", "budget", "parts", "rate", "few_marks")
    fixed = {name: getattr(options, name) for name in names}
    fixed["played"] = options.details or options.json
    if options.source is None:
        made = _of_numbers(options, given, fixed)
    elif given:
        options.wrong_usage(f"--{min(given)} is read from SOURCE: leave one of both out")
    else:
        from datadeed.owner.plan_data import plan_data

        made = plan_data(
            options.source,
            split=options.split,
            pool=options.pool,
            pool_split=options.pool_split,
            reading=reading(options.option),
            note=note,
            **fixed,
        )
    lines = [*_lines(made, options.alpha), *(_details(made) if options.details else _others(made))]
    show(options, made.record(), "\n".join(lines))
    return 0


def _of_numbers(
    options: argparse.Namespace, given: dict[str, Any], fixed: dict[str, Any]
) -> "Plan":
    if not {"classes", "samples"} <= set(given):
        options.wrong_usage("give SOURCE, or both --classes and --samples")
    if options.split or options.pool or options.pool_split or options.option:
        options.wrong_usage("--split, --pool, --pool-split and --option are of SOURCE: name it")
    from datadeed.owner.plan import plan

    return plan(**given, **fixed)


def _lines(made: "Plan", alpha: float) -> Iterator[str]:
    """The proposal, what to expect of it and what stands in its way, a line each."""
    from datadeed.keys.generation2 import CARRIERS

    if made.refused:
        yield f"no key           {made.refused}"
    yield f"carrier          {made.carrier}"
    yield f"parts            {made.parts} ({made.enough} learnt well are enough)"
    yield f"marks            {made.marks} rows ({made.rate:.1%}), {made.marks_a_part} a part"
    yield f"at best          E {made.largest_e:.0e}; needed {1 / alpha:.0e}"
    if made.expected:
        yield f"as keys did      {_as_keys_did(made)}"
    yield f"pool             {made.pool} {KINDS[CARRIERS[made.carrier].modality]} or more"
    for caution in made.warnings:
        yield f"warning          {caution.text}"
    for offer in made.instead:
        yield f"instead          {offer.text}"


def _others(made: "Plan") -> Iterator[str]:
    """That more is known."""
    names = ", ".join(name for name in made.prospects if name != made.carrier)
    of = f", and of {names}" if names else ""
    yield f"--details        proofs played with such keys; what was measured of {made.carrier}{of}"


def _details(made: "Plan") -> Iterator[str]:
    """What came of proofs that were played, and what is known of repairs and of every carrier."""
    for success, found in made.questions.items():
        yield f"a {success:.0%} mark       {_verdict(found, 'CLAIM')}"
    if made.honest:
        yield f"an honest model  {_verdict(made.honest, 'NOT SUPPORTED')}"
    if repaired := made.repaired:
        yield (
            f"repair           at {repaired['marks_a_part']:.0f} marks a part (Fashion-MNIST): "
            f"success {repaired['before']:.0%}, {repaired['after']:.0%} after the best of four "
            f"repairs; AUC of detection {repaired['auc']:.2f}"
        )
    for name in made.prospects:
        yield from _of_carrier(name, made)


def _as_keys_did(made: "Plan") -> str:
    """What the verifications of the nearest measured keys came to, of which there may be one."""
    near = made.expected
    least, most = f"{near['fewest_questions']:.0f}", f"{near['most_questions']:.0f}"
    share = f"CLAIM in {near['share']:.0%} of"
    if sum(key.claimed is not None for key in made.prospects[made.carrier].keys) == 1:
        return f"{least} questions (median of the one measured key near), {share} its verifications"
    return (
        f"{least} to {most} questions (medians of the nearest measured keys), {share} their "
        f"verifications, {near['least_share']:.0%} of the weakest key's"
    )


def _verdict(found: dict[str, float], verdict: str) -> str:
    return (
        f"{found['median_questions']:.0f} questions (median), {verdict} in {found['share']:.0%} "
        "of runs"
    )


def _of_carrier(name: str, made: "Plan") -> Iterator[str]:
    """What is known of a carrier."""
    prospect = made.prospects[name]
    design, each = prospect.proposal.design, prospect.proposal.marks_a_part
    word = "no key" if prospect.proposal.refused else "a key"
    yield f"{name:<16} {word}: {design.parts} parts on {design.rate:.1%} of the rows, {each} each"
    for key in prospect.keys:
        claimed = "" if key.claimed is None else f", CLAIM in {key.claimed:.0%}"
        yield (
            f"  measured       {key.parts} parts, {key.marks:.0f} marks each, {key.rows:,} rows of "
            f"{key.data}: success {key.success:.0%}{claimed}, {key.cost:.1f} points of accuracy "
            f"(results/{key.source}{', of an earlier design' if key.earlier else ''})"
        )
    if not prospect.keys:
        yield "  measured       nothing of about as many marks"
    if prospect.tried:
        yield f"  tried          {prospect.tried} (docs/walks.md)"
    if prospect.found:
        yield f"  found          {prospect.found}"
    if prospect.blurred:
        shares = " and ".join(f"{share}%" for share in prospect.blurred)
        yield f"  blurred        by half a pixel at the server: CLAIM in {shares} of verifications"
