"""The command ``datadeed``: one file a sub-command, each a thin layer over the science.

Exit codes: 0 done (``verify``: CLAIM), 1 an error that one line explains, 2 wrong usage, as is a
suspect's file that is wrong;
``verify`` also 3 INCONCLUSIVE, 4 NOT SUPPORTED, 5 could not test; ``watch`` 0 EVIDENCE,
3 NO EVIDENCE, 5 could not test; ``store`` 3 it and the folders differ; ``reveal`` 6 the checks
hold, but a premise is not verified;
``inspect`` 3 marks would be found; ``defend`` 0 repaired, 3 not; 130 interrupted.
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import datadeed
from datadeed.cli.common import PASSPHRASE, fail, printable
from datadeed.errors import ConfigurationError, DatadeedError, SecretError

WRONG_USAGE = 2  # as argparse has it
ERRORS = (DatadeedError, OSError, RecursionError, UnicodeError, MemoryError)
HINTS = {  # of an option that people leave out
    "--suspect": "the suspect goes after --suspect: its YAML file, or a model's folder "
    "(docs/suspects.md)",
}
COMMANDS = {
    "plan": "how many parts, marks and queries a proof needs",
    "pool": "choose the samples for verification on which marks are seen best",
    "commit": "make a key and the commitment to publish before the data",
    "watermark": "write a marked copy of a dataset, in its own format",
    "inspect": "see what a thief would find in a release without the key",
    "questions": "write the questions as files, for a suspect that only others can ask",
    "verify": "ask a suspect, and say what its answers prove",
    "watch": "ask a suspect a few fresh questions every day",
    "store": "fill or check the store that a team's watches share",
    "reveal": "open a key for a judge, or check evidence against an opened key",
    "report": "show a folder of evidence again",
    "defend": "look for a backdoor in a model, and repair a copy of it",
    "leak": "see what models give away of their training data",
}


class _Parser(argparse.ArgumentParser):
    """Quotes what was typed, such as a file's name, without its control characters."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message, "\n"), file)

    def error(self, message: str) -> NoReturn:
        """Also say what an option that was left out is for, where commands are used wrongly."""
        for action in self._actions:
            option = next(iter(action.option_strings), None)
            if option in HINTS and f"required: {option}" in message:
                message += f"; {HINTS[option]}"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    made = _Parser(
        prog="datadeed", description="Watermark a dataset; prove later who trained on it."
    )
    version = f"datadeed {datadeed.__version__}"
    made.add_argument("--version", action="version", version=version)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        module = importlib.import_module(f"datadeed.cli.{name}")
        sub = commands.add_parser(name, help=text, description=module.__doc__)
        module.arguments(sub)
        sub.add_argument("--json", action="store_true", help="print the result as JSON")
        sub.set_defaults(run=module.run)
    return made


def run(arguments: Sequence[str] | None = None) -> int:
    """See :func:`datadeed.cli.main`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # of a terminal that has not all letters
            stream.reconfigure(errors="backslashreplace")
    made = parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may come next (docs/protect.md)
        import argcomplete

        argcomplete.autocomplete(made)
    options = made.parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:  # whoever read the output wanted no more of it
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - else the interpreter's last flush fails
        return 1
    except (*ERRORS, KeyboardInterrupt) as error:
        return fail(options, *_words(error))


def _words(error: BaseException) -> tuple[str, int]:
    """What an error says to the user, and the exit code."""
    words, code = str(error), 1
    match error:
        case ConfigurationError():
            code = WRONG_USAGE
        case SecretError() if "passphrase" in words:
            words += f" ({PASSPHRASE} in the environment)"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            words = f"{where}{error.strerror or error}: correct it and run again"
        case RecursionError():
            words = "a file is nested too deeply to be read: take the original"
        case UnicodeError():
            words = f"a file or name is no sound text ({error}): correct it"
        case MemoryError():
            words = "there is not enough memory for this: give smaller numbers"
        case KeyboardInterrupt():
            words, code = "interrupted: the same command goes on where it stopped", 130
    return words, code
