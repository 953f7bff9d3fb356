"""Stages of a tiny pipeline, run in this process.

A stage is a command line, and most of it is the start of Python and PyTorch: here DVC says which
commands there are, in which order and what they read and write, and they are called as functions.
"""

import importlib
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest


def run(stage: Any, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Call a stage's command; what it reads is there before, what it writes only then."""
    for dep in stage.deps:
        path, keys = folder / dep.def_path, getattr(dep, "params", [])
        assert path.exists() or not dep.def_path.startswith(("data/", "results/")), dep
        assert set(keys) <= dep.read_params().keys() if keys else True, dep
    outs = [folder / out.def_path for out in stage.outs]
    assert not any(out.exists() for out in outs), stage
    python, option, module, *words = shlex.split(stage.cmd)
    assert (python, option) == ("python", "-m")
    patch.setattr(sys, "argv", [module, *words])
    importlib.import_module(module).main()
    assert all(out.exists() for out in outs), stage
