"""Models as files: weights in safetensors, everything else in JSON."""

import json
import struct
from pathlib import Path
from typing import Any, TypeVar, overload

import safetensors.torch
import torch
from safetensors import SafetensorError

from datadeed.errors import DatadeedError, ModelError
from datadeed.files import atomic_path, read_json, write_json
from datadeed.models.model import Model
from datadeed.models.registry import model_class

M = TypeVar("M", bound=Model)


def save_model(model: Model, folder: str | Path, record: dict[str, Any]) -> None:
    """Write ``model.safetensors`` and ``model.json`` (its config and ``record``), each atomically.

    The weights come first: a folder with a ``model.json`` is complete.
    """
    folder = Path(folder)
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with atomic_path(folder / "model.safetensors") as path:
        # Not save_file: it renames a file of its own (mode 0600) over ours and hides a full disk.
        path.write_bytes(safetensors.torch.save(state))
    write_json(folder / "model.json", {"config": model.config, **record})


@overload
def load_model(folder: str | Path, device: torch.device | str = "cpu") -> Model: ...
@overload
def load_model(folder: str | Path, device: torch.device | str, kind: type[M]) -> M: ...
def load_model(
    folder: str | Path, device: torch.device | str = "cpu", kind: type[Model] | None = None
) -> Model:
    """Read a model that :func:`save_model` wrote. Nothing in the files can run code.

    Args:
        folder: where it is.
        device: where it goes.
        kind: the class that it should be of; when left out, that of the file's own modality.

    Raises:
        ModelError: a file is missing or damaged, or the model is of another modality or network.
    """
    folder = Path(folder)
    try:
        config = dict(read_json(folder / "model.json")["config"])
        modality = config.get("modality", "image")
        if kind is not None and modality != kind.modality:
            raise ModelError(f"it takes {modality} and not {kind.modality}")
        model = (kind or model_class(modality)).from_config(config)
    except (DatadeedError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{folder}/model.json does not describe a model ({str(error).splitlines()[0]}): train "
            "it again"
        ) from error
    try:
        state = safetensors.torch.load_file(folder / "model.safetensors")
        model.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError, struct.error, json.JSONDecodeError) as error:
        raise ModelError(
            f"{folder}/model.safetensors does not hold the {config['network']} that model.json "
            f"describes ({str(error).splitlines()[0]}): train it again"
        ) from error
    return model.to(device).to(memory_format=torch.channels_last)
