"""The state of a training after an epoch, in one safetensors file written atomically.

One file, so that weights, momentum, random state and history can never be of different epochs.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from datadeed.errors import CheckpointError
from datadeed.files import atomic_path
from datadeed.models.optimiser import Optimiser

_FILE = "checkpoint.safetensors"


def save_checkpoint(
    folder: str | Path,
    *,
    model: nn.Module,
    optimiser: Optimiser,
    generator: torch.Generator,
    fingerprint: str,
    history: list[dict[str, float]],
) -> None:
    """Write the state after ``len(history)`` epochs.

    Args:
        folder: where; an earlier checkpoint in it is replaced.
        model: its parameters and buffers.
        optimiser: its buffers.
        generator: a CPU generator.
        fingerprint: names the run.
        history: a record an epoch.
    """
    tensors = {f"model.{k}": v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    for name, buffer in optimiser.buffers.items():
        tensors[f"momentum.{name}"] = buffer.cpu().contiguous()
    tensors["generator"] = generator.get_state()
    meta = {"fingerprint": fingerprint, "history": json.dumps(history)}
    with atomic_path(Path(folder) / _FILE) as path:
        # Not save_file: it renames a file of its own (mode 0600) over ours and hides a full disk.
        path.write_bytes(safetensors.torch.save(tensors, metadata=meta))


def load_checkpoint(
    folder: str | Path,
    *,
    model: nn.Module,
    optimiser: Optimiser,
    generator: torch.Generator,
    fingerprint: str,
) -> list[dict[str, float]]:
    """Restore the state in ``folder``.

    Returns:
        A record for each finished epoch; none when there is no checkpoint.

    Raises:
        CheckpointError: it is damaged, or its fingerprint is another; nothing was changed.
    """
    path = Path(folder) / _FILE
    if not path.exists():
        return []
    tensors, meta = _read(path)
    if meta.get("fingerprint") != fingerprint:
        raise CheckpointError(
            f"{path} belongs to another run (other data, seed or settings): delete {folder} to "
            "start anew, or restore what that run used"
        )
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    state |= {f"momentum.{name}": value for name, value in optimiser.buffers.items()}
    for name, value in state.items():
        if name not in tensors or tensors[name].shape != value.shape:
            raise _damaged(path, f"{name} is missing or has another shape")
    try:
        history: list[dict[str, float]] = json.loads(meta["history"])
        generator.set_state(tensors["generator"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise _damaged(path, error) from error
    for name, value in state.items():
        value.copy_(tensors[name])
    return history


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            return {key: file.get_tensor(key) for key in file.keys()}, meta  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, reason: object) -> CheckpointError:
    reason = str(reason).splitlines()[0]
    return CheckpointError(f"{path} is damaged ({reason}): delete it to start anew")
