"""How many parts, marks and questions a proof needs, before anything is released."""

import argparse

from datadeed.cli.common import add_levels, show


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--classes", type=int, required=True, help="of the task, those that have rows")
    add("--samples", type=int, required=True, help="rows that will be released")
    add_levels(parser)
    add("--parts", type=int, help="fix the number of parts")
    add("--rate", type=float, help="fix the share of rows to mark")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.plan import plan

    made = plan(
        options.classes,
        options.samples,
        alpha=options.alpha,
        least_effect=options.least_effect,
        budget=options.budget,
        parts=options.parts,
        rate=options.rate,
    )
    repaired = made.repaired
    lines = [
        f"parts            {made.parts} ({made.enough} learnt well are enough)",
        f"marks            {made.marks} rows ({made.rate:.1%}), {made.marks_a_part} a part",
        f"attainable       E {made.largest_e:.0e}; needed {1 / options.alpha:.0e}",
        *(
            f"a {success:.0%} mark       {found['median_questions']:.0f} questions (median), CLAIM "
            f"in {found['share']:.0%} of runs"
            for success, found in made.questions.items()
        ),
        *(
            f"an honest model  {found['median_questions']:.0f} questions (median), NOT SUPPORTED "
            f"in {found['share']:.0%} of runs"
            for found in [made.honest]
            if found
        ),
        f"pool             {made.pool} images or more",
        f"repair           at {repaired['marks_a_part']:.0f} marks a part (Fashion-MNIST): success "
        f"{repaired['before']:.0%}, {repaired['after']:.0%} after the best of four repairs; AUC of "
        f"detection {repaired['auc']:.2f}",
        *(f"warning          {warning}" for warning in made.warnings),
    ]
    show(options, made.record(), "\n".join(lines))
    return 0
