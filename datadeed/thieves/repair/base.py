"""What every repair has in common: a model and trusted samples in, another model out."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ModelError, ParameterError
from datadeed.models.model import Model

# Told of the steps done and of the model as it is then, whose weights go on changing.
OnStep: TypeAlias = Callable[[int, Model], None]


def unheard(step: int, model: Model) -> None:
    """An :data:`OnStep` that nobody listens to."""


class Repair(ABC):
    """A defence that is applied to a finished model; its own parameters are the constructor's.

    Attributes:
        stored: whether the result is a model of the same kind with other weights, which a file can
            hold; otherwise it changes its input, whenever it is asked.
    """

    name: ClassVar[str]
    stored: ClassVar[bool] = True

    def __call__(
        self,
        model: Model,
        trusted: Dataset,
        *,
        generator: torch.Generator,
        on_step: OnStep = unheard,
    ) -> Model:
        """Repair a copy of ``model``, which is not altered.

        Args:
            model: the suspect, on the device to compute on.
            trusted: samples whose labels are right.
            generator: a CPU generator; draws batches and augmentation.
            on_step: called now and then, and at the end, with the model so far, in evaluation mode.

        Returns:
            The repaired model, in evaluation mode.

        Raises:
            DatasetError, ModelError: as :func:`check`; ParameterError: the method cannot work on
                such a model.
        """
        check(model, trusted)
        repaired = self._repair(copy.deepcopy(model), trusted, generator, on_step)
        return repaired.eval()

    @abstractmethod
    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        """Repair ``model``, which may be altered."""

    @classmethod
    def build(cls, **values: Any) -> "Repair":
        """The constructor, for values that somebody wrote down.

        Raises:
            ParameterError: a parameter is superfluous, or makes no sense.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ParameterError(f"{cls.name}: {str(error).split('() ')[-1]}") from error


def check(model: Model, trusted: Dataset) -> None:
    """Check that a model can be repaired with such samples.

    Raises:
        ModelError: its weights or its answers are not finite, it has no linear output layer, or it
            takes samples of another kind or shape.
        DatasetError: a class has no sample, or there are other classes than the model knows.
    """
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ModelError(f"the model's {name} holds NaN or infinite values: train it again")
    if not any(isinstance(module, nn.Linear) for module in model.modules()):
        raise ModelError("the model has no linear output layer: it is none of our networks")
    if model.modality != trusted.modality:
        raise ModelError(
            f"the model takes {model.modality} and the trusted data are {trusted.modality}: give "
            "data of its own kind"
        )
    shape, classes = (
        tuple(model.config.get("shape", trusted.shape)),
        model.output_layer.out_features,
    )
    if shape != trusted.shape:
        raise DatasetError(
            f"the trusted samples are {trusted.shape} and the model takes {shape}: bring them to "
            "its size"
        )
    if len(trusted.classes) != classes:
        raise DatasetError(
            f"the trusted data have {len(trusted.classes)} classes and the model has {classes}: "
            "give one folder or label for each of its classes"
        )
    few = trusted.slice(0, 64)
    if not bool(model.predict(few.samples).isfinite().all()):
        raise ModelError("the model answers with NaN: check its statistics, mean and std")
    counts = torch.bincount(trusted.labels, minlength=classes)
    if len(missing := (counts == 0).nonzero().flatten().tolist()):
        names = ", ".join(trusted.classes[label] for label in missing[:5])
        raise DatasetError(
            f"no trusted sample of {len(missing)} of {classes} classes ({names}"
            f"{', ...' * (len(missing) > 5)}): a repair would unlearn them; give one of each"
        )
