"""The state of a crafting after an iteration: kill it at any moment, and it goes on."""

import json
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from datadeed.errors import CheckpointError
from datadeed.files import atomic_path
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.perturbations.adam import Adam


class CraftState:
    """A folder with the perturbation, its optimiser and the last surrogate.

    Args:
        folder: where; made when first saved to.
        fingerprint: names the crafting; another one's state is refused.
    """

    def __init__(self, folder: str | Path, fingerprint: str):
        self.folder, self.fingerprint = Path(folder), fingerprint

    def load(self, delta: torch.Tensor, adam: Adam, generator: torch.Generator) -> list[float]:
        """Restore what :meth:`save` wrote, in place.

        Returns:
            The losses of the finished iterations; none when there is no state.

        Raises:
            CheckpointError: it is damaged or belongs to another crafting; nothing was changed.
        """
        path = self.folder / "perturbation.safetensors"
        if not path.exists():
            return []
        tensors, meta = _read(path, self.fingerprint)
        current = {**adam.state, "delta": delta}
        try:
            losses = [float(loss) for loss in json.loads(meta["losses"])]
            if any(tensors[name].shape != value.shape for name, value in current.items()):
                raise ValueError("another number or size of images")
            generator.set_state(tensors["generator"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise _damaged(path, error) from error
        for name, value in current.items():
            value.copy_(tensors[name])
        return losses

    def load_surrogate(self, iterations: int, first: Classifier) -> Classifier:
        """The surrogate in use after so many iterations: the latest saved one, else ``first``.

        Raises:
            ModelError: its file is damaged.
        """
        saved = [int(path.name) for path in self.folder.glob("surrogates/*") if path.is_dir()]
        fitting = [number for number in saved if number <= iterations]
        if not fitting:
            return first
        return load_model(self.folder / "surrogates" / str(max(fitting)), first.mean.device)

    def save(
        self,
        delta: torch.Tensor,
        adam: Adam,
        generator: torch.Generator,
        losses: list[float],
        surrogate: Classifier | None,
    ) -> None:
        """Write the state after ``len(losses)`` iterations; ``surrogate`` only when it is new.

        The surrogate is written first: a kill in between repeats one iteration and its retraining.
        """
        if surrogate is not None:
            save_model(surrogate, self.folder / "surrogates" / str(len(losses)), {})
        tensors = {**adam.state, "delta": delta, "generator": generator.get_state()}
        meta = {"fingerprint": self.fingerprint, "losses": json.dumps(losses)}
        with atomic_path(self.folder / "perturbation.safetensors") as path:
            path.write_bytes(safetensors.torch.save(tensors, metadata=meta))


def save_tensor(path: Path, fingerprint: str, value: torch.Tensor) -> None:
    """Keep one finished step of the crafting that the fingerprint names."""
    with atomic_path(path) as temporary:
        meta = {"fingerprint": fingerprint}
        temporary.write_bytes(safetensors.torch.save({"value": value.contiguous()}, metadata=meta))


def load_tensor(path: Path, fingerprint: str) -> torch.Tensor | None:
    """What :func:`save_tensor` wrote; None if there is no file.

    Raises:
        CheckpointError: it is damaged or belongs to another crafting.
    """
    if not path.exists():
        return None
    tensors, _ = _read(path, fingerprint)
    if "value" not in tensors:
        raise _damaged(path, "no value in it")
    return tensors["value"]


def _read(path: Path, fingerprint: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    if meta.get("fingerprint") != fingerprint:
        raise CheckpointError(
            f"{path} belongs to another crafting (other data, surrogate, seed or settings): delete "
            f"{path.parent} to start anew, or restore what that one used"
        )
    return tensors, meta


def _damaged(path: Path, reason: object) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged ({str(reason).splitlines()[0]}): delete it to start anew"
    )
