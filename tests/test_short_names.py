"""Names that people import from packages themselves."""

import subprocess
import sys

import pytest

import datadeed.suspects
from datadeed import cli
from datadeed.datasets import formats
from datadeed.datasets.formats import registry
from datadeed.owner.suspects.opening import open_suspect


def test_they_are_what_stands_elsewhere() -> None:
    assert formats.read is registry.read
    assert datadeed.suspects.open_suspect is open_suspect
    with pytest.raises(AttributeError, match="no attribute 'raed'"):
        formats.raed  # noqa: B018


def test_the_command_is_the_package_s() -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0


def test_who_wants_one_format_loads_no_other() -> None:
    program = "import sys; from datadeed.datasets.formats import png; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "datadeed.datasets.formats.registry" not in said.stdout.split()
