"""Write every question that a verification could ask as files, for a suspect that others must ask.

Images become DIGEST.png, sound DIGEST.wav, texts lines of questions.jsonl. Answered, they are
a suspect of protocol log (docs/suspects.md). They hold the marks: give them to nobody else.
"""

import argparse
from pathlib import Path

from datadeed.cli.common import add_pool, add_reading, passphrase, progress, reading, show


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--key", type=Path, required=True, help="the owner's secret file")
    add_pool(parser, required=True)
    add_reading(parser)
    add("--out", type=Path, required=True, help="the folder to make")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.questions import export_questions

    written = export_questions(
        options.key,
        options.pool,
        options.out,
        pool_split=options.pool_split,
        reading=reading(options.option),
        passphrase=passphrase(),
        progress=progress,
    )
    value = {"questions": written, "out": str(options.out)}
    show(options, value, f"{written} questions in {options.out}")
    return 0
