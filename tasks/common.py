"""What every stage shares: parameters, error lines, and where artifacts live.

A stage is ``python -m tasks.NAME ...``, run from the repository's root. It imports neither Prefect
nor DVC.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from datadeed.errors import DatadeedError, ParameterError

DATA = Path("data")


def parameters(*keys: str, file: str | Path = "params.yaml") -> Any:
    """The entry of a parameter file at ``keys``.

    Raises:
        ParameterError: the file or the entry is missing, or the file is not YAML.
    """
    try:
        value = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParameterError(f"{file} does not exist: run from the repository's root") from error
    except yaml.YAMLError as error:
        raise ParameterError(f"{file} is not valid YAML: {str(error).splitlines()[0]}") from error
    for depth, key in enumerate(keys):
        if not isinstance(value, dict) or key not in value:
            raise ParameterError(
                f"{file} has no entry {'.'.join(keys[: depth + 1])!r}: add it, or name another"
            )
        value = value[key]
    return value


def stage(main: Callable[[], None]) -> Callable[[], None]:
    """Make ``main`` end with one line and status 1 on an error a user can act on."""

    @functools.wraps(main)
    def guarded() -> None:
        try:
            main()
        except DatadeedError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted: run again to go on from the last checkpoint")

    return guarded


def set_threads() -> int:
    """Use the number of CPU threads that the parameters fix, since results depend on it."""
    threads = parameters("threads")
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def model_arguments(description: str | None) -> tuple[str, str, str, int]:
    """Dataset, network, watermark ("none" for an honest model) and seed, of the command line."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("dataset", "network", "watermark"):
        parser.add_argument(name)
    parser.add_argument("seed", type=int)
    values = parser.parse_args()
    return values.dataset, values.network, values.watermark, values.seed
