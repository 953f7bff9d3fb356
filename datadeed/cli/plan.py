"""How many parts, marks and queries a proof needs, and how many models calibrate it."""

import argparse

from datadeed.cli.common import show
from datadeed.keys.key import Design


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--classes", type=int, required=True, help="of the task")
    add("--samples", type=int, required=True, help="rows that will be released")
    add(
        "--alpha", type=float, default=Design.alpha_key, help="level of the key layer (%(default)s)"
    )
    add("--alpha-behaviour", type=float, default=Design.alpha_behaviour, help="(%(default)s)")
    add("--null-rate", type=float, default=Design.null_rate, help="hit rate granted (%(default)s)")
    add("--budget", type=int, default=Design.budget, help="counted queries (%(default)s)")
    add("--parts", type=int, help="fix the number of parts")
    add("--rate", type=float, help="fix the share of rows to mark")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.plan import plan

    made = plan(
        options.classes,
        options.samples,
        alpha=options.alpha,
        alpha_behaviour=options.alpha_behaviour,
        null_rate=options.null_rate,
        budget=options.budget,
        parts=options.parts,
        rate=options.rate,
    )
    repaired = made.repaired
    lines = [
        f"parts            {made.parts} ({made.enough} learnt well are enough)",
        f"marks            {made.marks} rows ({made.rate:.1%}), {made.marks_a_part} a part",
        f"attainable       p {made.best_attainable_p:.0e}, E {made.largest_e:.0e}; "
        f"needed E {1 / options.alpha:.0e}",
        *(
            f"a {success:.0%} mark       {numbers['mean_queries']:.0f} queries on average, claimed "
            f"in {numbers['claimed']:.1%} of runs"
            for success, numbers in made.queries.items()
        ),
        f"pool             {made.pool} images or more",
        f"repair           at {repaired['marks_a_part']:.0f} marks a part (Fashion-MNIST): success "
        f"{repaired['before']:.0%}, {repaired['after']:.0%} after the best of four repairs; AUC of "
        f"detection {repaired['auc']:.2f}",
        f"null rate        {made.models} independent models calibrate it; until then it is nominal",
        *(f"warning          {warning}" for warning in made.warnings),
    ]
    show(options, made.record(), "\n".join(lines))
    return 0
