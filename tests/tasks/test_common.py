import os
import subprocess
import sys
from pathlib import Path

import pytest

from datadeed.errors import DatasetError, ParameterError
from tasks.common import parameters, stage


def test_an_entry_is_found_at_its_keys(workspace):
    assert parameters("models", "toy", "resnet18", "width") == 2
    assert parameters()["scale"] == "toy"
    assert parameters("first_classes", "toy", file="papers/dvbw/params.yaml") == 1


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        (("model",), "model"),
        (("models", "cifar10", "vgg"), "models.cifar10"),
        (("seed", "more"), "seed.more"),
    ],
)
def test_a_missing_entry_is_named_as_far_as_it_goes(workspace, keys, missing):
    with pytest.raises(ParameterError, match=f"has no entry '{missing}'"):
        parameters(*keys)


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t"])
def test_a_file_that_is_not_yaml_is_one_line(workspace, text):
    (workspace.root / "params.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"params\.yaml is not valid YAML") as caught:
        parameters("seed")
    assert "\n" not in str(caught.value)


def test_a_missing_or_empty_file_is_one_line(workspace):
    with pytest.raises(ParameterError, match=r"other\.yaml does not exist"):
        parameters("seed", file="other.yaml")
    (workspace.root / "params.yaml").write_text("")
    with pytest.raises(ParameterError, match="has no entry 'seed'"):
        parameters("seed")


@pytest.mark.parametrize("error", [DatasetError("no data"), ParameterError("no data")])
def test_a_stage_ends_with_one_line(error):
    @stage
    def main():
        """Kept."""
        raise error

    assert main.__doc__ == "Kept."
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == "error: no data"


def test_the_line_goes_to_the_errors_and_the_status_is_one():
    code = "from tasks.common import *\n@stage\ndef main(): raise DatadeedError('no data')\nmain()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "error: no data\n")


def test_an_interrupt_says_how_to_go_on():
    @stage
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="interrupted: run again to go on"):
        main()


def test_a_defect_keeps_its_traceback():
    @stage
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()
