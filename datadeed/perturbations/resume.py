"""The state of a crafting after an iteration: kill it at any moment, and it goes on."""

from pathlib import Path

import torch

from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.models.training.optimiser import AdamW
from datadeed.models.training.state import restore_state, save_state


class CraftState:
    """A folder with the perturbation, its optimiser and the last surrogate.

    Args:
        folder: where; made when first saved to.
        fingerprint: names the crafting; another one's state is refused.
    """

    def __init__(self, folder: str | Path, fingerprint: str):
        self.folder, self.fingerprint = Path(folder), fingerprint

    def load(self, delta: torch.Tensor, adam: AdamW, generator: torch.Generator) -> list[float]:
        """Restore what :meth:`save` wrote, in place.

        Returns:
            The losses of the finished iterations; none when there is no state.

        Raises:
            CheckpointError: it is damaged or belongs to another crafting; nothing was changed.
        """
        tensors = {"delta": delta, **adam.buffers}
        return restore_state(self._path, self.fingerprint, tensors, generator, float)

    def load_surrogate(self, iterations: int, first: Classifier) -> Classifier:
        """The surrogate in use after so many iterations: the latest saved one, else ``first``.

        Raises:
            ModelError: its file is damaged.
        """
        saved = [int(path.name) for path in self.folder.glob("surrogates/*") if path.is_dir()]
        fitting = [number for number in saved if number <= iterations]
        if not fitting:
            return first
        return load_model(self.folder / "surrogates" / str(max(fitting)), first.device, Classifier)

    def save(
        self,
        delta: torch.Tensor,
        adam: AdamW,
        generator: torch.Generator,
        losses: list[float],
        surrogate: Classifier | None,
    ) -> None:
        """Write the state after ``len(losses)`` iterations; ``surrogate`` only when it is new.

        The surrogate is written first: a kill in between repeats one iteration and its retraining.
        """
        if surrogate is not None:
            save_model(surrogate, self.folder / "surrogates" / str(len(losses)), {})
        tensors = {"delta": delta, **adam.buffers}
        save_state(self._path, self.fingerprint, tensors, generator, losses)

    @property
    def _path(self) -> Path:
        return self.folder / "perturbation.safetensors"
