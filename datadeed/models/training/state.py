"""How far a long work is, in one safetensors file: kill it at any moment, and it goes on.

One file, written atomically, so that tensors, random state and records are of the same step.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from datadeed.errors import CheckpointError
from datadeed.files import atomic_path

R = TypeVar("R")


def save_state(
    path: Path,
    fingerprint: str,
    tensors: Mapping[str, torch.Tensor],
    generator: torch.Generator,
    records: Sequence[Any],
) -> None:
    """Write the state after ``len(records)`` steps; an earlier one in the file is replaced.

    Args:
        path: the file; its folder is made.
        fingerprint: names the work: its data, seed and settings.
        tensors: all that the work changes, by name; none is called "generator".
        generator: a CPU generator.
        records: a JSON value a finished step.
    """
    _write(path, fingerprint, {**tensors, "generator": generator.get_state()}, records)


def restore_state(
    path: Path,
    fingerprint: str,
    tensors: Mapping[str, torch.Tensor],
    generator: torch.Generator,
    read: Callable[[Any], R],
) -> list[R]:
    """Bring back, in place, what :func:`save_state` wrote.

    Args:
        path, fingerprint, tensors, generator: as they were saved.
        read: makes a record of its JSON value; its ValueError and TypeError mean a damaged file.

    Returns:
        The records of the finished steps; none when there is no file.

    Raises:
        CheckpointError: the file is damaged or of another work; nothing was changed.
    """
    if not path.exists():
        return []
    found, meta = _read(path, fingerprint)
    for name, value in tensors.items():
        if name not in found or found[name].shape != value.shape:
            raise _damaged(path, f"{name} is missing or has another shape")
    try:
        records = json.loads(meta["records"])
        if not isinstance(records, list):
            raise TypeError("no list of records")
        done = [read(record) for record in records]
        generator.set_state(found["generator"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise _damaged(path, error) from error
    for name, value in tensors.items():
        value.copy_(found[name])
    return done


def save_tensor(path: Path, fingerprint: str, value: torch.Tensor) -> None:
    """Keep what one finished part of the work gave."""
    _write(path, fingerprint, {"value": value}, [])


def load_tensor(path: Path, fingerprint: str) -> torch.Tensor | None:
    """What :func:`save_tensor` wrote; None if there is no file.

    Raises:
        CheckpointError: it is damaged or of another work.
    """
    if not path.exists():
        return None
    found, _ = _read(path, fingerprint)
    if "value" not in found:
        raise _damaged(path, "no value in it")
    return found["value"]


def _write(
    path: Path, fingerprint: str, tensors: Mapping[str, torch.Tensor], records: Sequence[Any]
) -> None:
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    meta = {"fingerprint": fingerprint, "records": json.dumps(records)}
    with atomic_path(path) as temporary:
        # Not save_file: it renames a file of its own (mode 0600) over ours and hides a full disk.
        temporary.write_bytes(safetensors.torch.save(held, metadata=meta))


def _read(path: Path, fingerprint: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    if meta.get("fingerprint") != fingerprint:
        raise CheckpointError(
            f"{path} belongs to another run (other data, models, seed or settings): delete "
            f"{path.parent} to start anew, or restore what that run used"
        )
    return tensors, meta


def _damaged(path: Path, reason: object) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged ({str(reason).splitlines()[0]}): delete it to start anew"
    )
