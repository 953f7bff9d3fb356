"""Models that know the same classes in another order are brought into one order.

The last layer's rows are put in that order, once, when a model is read: all that follows, pictures
and digests, sees models of one list of classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from datadeed.errors import ModelError
from datadeed.models.model import Model


@dataclass(frozen=True)
class Names:
    """What class names the user gives.

    Attributes:
        common: in label order, of models that do not say theirs.
        orders: of single models, by their path; they stand above what a model says.
    """

    common: Sequence[str] | None = None
    orders: Mapping[str, Sequence[str]] | None = None

    def of(self, path: str, said: Sequence[str] | None = None) -> Sequence[str] | None:
        """The names of a model that says ``said`` itself."""
        return (self.orders or {}).get(path) or said or self.common

    def check(self, paths: Sequence[str]) -> None:
        """Are all orders of models that there are, and of some classes?

        Raises:
            ModelError: one is not.
        """
        for path, names in (self.orders or {}).items():
            if not names:
                raise ModelError(f"the order of classes declared for {path} is empty: name them")
            if path not in paths:
                raise ModelError(
                    f"an order of classes is declared for {path}, which is none of the models: "
                    f"name one of {', '.join(paths)}"
                )


def in_one_order(
    paths: Sequence[str], models: Sequence[Model], names: Sequence[Sequence[str] | None]
) -> tuple[list[Sequence[str] | None], list[str]]:
    """Change the models so that output k is the same class in each: the first one's k-th.

    Models whose classes are others than the first one's are left as they are, for
    :class:`~datadeed.thieves.inversion.ensemble.Ensemble` to refuse.

    Args:
        paths: what messages call the models.
        models: those that are reordered are altered.
        names: of their classes, in label order; None where nobody says them.

    Returns:
        The names of every model afterwards, and a line on each model that was altered.

    Raises:
        ModelError: some models' classes are known and others' are not.
    """
    known = [own for own in names if own is not None]
    if known and len(known) < len(names):
        path = paths[[own is None for own in names].index(True)]
        raise ModelError(
            f"nobody says the classes of {path}, and those of others are known: declare them in "
            "its label order, with --order"
        )
    after, told = list(names), []
    for number, (path, model, own) in enumerate(zip(paths, models, names, strict=True)):
        if own is None or list(own) == list(known[0]) or not _same(own, known[0], model):
            continue
        _reorder(model, [list(own).index(name) for name in known[0]])
        after[number] = known[0]
        told.append(f"{path} has its classes in another order: brought into that of {paths[0]}")
    return after, told


def _same(own: Sequence[str], other: Sequence[str], model: Model) -> bool:
    """Are they the same classes, each there once, and one an output?"""
    once = len(set(own)) == len(own) == model.output_layer.out_features
    return once and sorted(own) == sorted(other)


@torch.no_grad()
def _reorder(model: Model, rows: list[int]) -> None:
    """Let output k be what output ``rows[k]`` was."""
    layer = model.output_layer
    layer.weight.copy_(layer.weight[rows].clone())
    if layer.bias is not None:
        layer.bias.copy_(layer.bias[rows].clone())
