"""Commands that need neither a network nor a test do not wait for PyTorch and SciPy."""

import inspect
import subprocess
import sys

import pytest

from datadeed.reports import figures, svg
from datadeed.verification import layers, proof2, verdict, words
from tests.owner.evidence.samples import make_folder

HEAVY = ("torch", "torchvision", "scipy", "pandas", "sqlalchemy")
PROGRAM = """
import json, sys
from datadeed.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as left:  # argparse's, of --help
    code = left.code
sys.stderr.write(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
raise SystemExit(code)
"""


def loaded(*arguments: str) -> set[str]:
    """Which of the heavy libraries a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name for name in HEAVY if f'"{name}"' in done.stderr}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("plan", "--help")])
def test_of_usage(arguments):
    assert loaded(*arguments) == set()


def test_of_a_plan_from_numbers():
    assert loaded("plan", "--classes", "10", "--samples", "50000") == set()


def test_of_a_report(tmp_path):
    folder = make_folder(tmp_path / "evidence")
    assert loaded("report", str(folder)) == set()
    assert "<svg" in (folder / "report.html").read_text()


def test_fixed_words_are_said_alike():
    """They stand twice, so that a reader of evidence need not load the tests."""
    said = [getattr(words, name) for name in ("NOT_SUPPORTED", "INCONCLUSIVE", "CLAIM")]
    assert tuple(said) == verdict.WORDS
    assert (words.SIGNS, words.LARGEST) == (proof2.SIGNS, layers.LARGEST)


def test_figures_are_drawn_alike():
    assert (svg.COLOURS, svg.GREY) == (figures.COLOURS, figures.GREY)
    assert inspect.getsource(svg.inline) == inspect.getsource(figures.inline)
