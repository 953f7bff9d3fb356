"""The command ``datadeed``: one file a sub-command, each a thin layer over the science."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, as ``datadeed WORDS...`` does; the return value is the exit code.

    Args:
        arguments: the words; by default those of the process.
    """
    from datadeed.cli.command import run  # importing one command needs not all

    return run(arguments)
