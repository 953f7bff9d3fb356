"""Sleeper Agent and UBW-C: clean-label watermarks by gradient matching.

A victim's training on the perturbed samples descends an objective of the owner's choice: to take
triggered samples of a source class for the target (Sleeper Agent), or to scatter the predictions of
triggered samples (UBW-C). The trigger itself never appears in the released data.
"""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier, build
from datadeed.models.training.loop import train
from datadeed.models.training.state import load_tensor, save_tensor
from datadeed.perturbations.gradients import gradient_norms, objective_gradient
from datadeed.perturbations.matching import Matching, match_gradients
from datadeed.perturbations.resume import CraftState
from datadeed.randomness import derive_seed, generator
from datadeed.triggers.wandering import WanderingPatch
from datadeed.watermarks.crafted import PerturbedImages, _Work
from datadeed.watermarks.decoys import random_cells


class GradientMatched(PerturbedImages):
    """What both methods share.

    Args:
        rate: share of all rows to mark.
        target: the label that Sleeper Agent brings about; None for UBW-C.
        source: the class whose triggered samples should be affected, or None for all classes.
        sources: at most so many triggered training samples give the objective's gradient.
        cells: rows of the trigger's cells, each 0 (black) or 255 (white).
        size: the trigger's side in pixels: cells are scaled to it bilinearly, so that edges are
            grey, and pasted at a random place of each sample.
        seed: decides the places, and all random draws of surrogates.
        matching: values of :class:`datadeed.perturbations.matching.Matching`.

    Raises:
        WatermarkError: a value makes no sense.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "rate": 0.1,
        "source": 0,
        "sources": 1000,
        "size": 8,
        **dataclasses.asdict(Matching()),
    }

    def __init__(
        self,
        *,
        rate: float,
        target: int | None,
        source: int | None,
        sources: int,
        cells: Sequence[Sequence[int]],
        size: int,
        seed: int,
        matching: dict[str, Any],
    ):
        super().__init__(rate=rate, target=target)
        self.cells = _cells(cells)
        if type(size) is not int or size < max(self.cells.shape):
            raise WatermarkError(
                f"{self.name}: size is {size!r}; give at least {max(self.cells.shape)} pixels, one "
                "a cell"
            )
        if type(sources) is not int or sources < 1:
            raise WatermarkError(f"{sources!r} sources: the objective needs 1 or more")
        try:
            self.matching = Matching(**matching)
        except TypeError as error:
            raise WatermarkError(f"matching: {str(error).split('() ')[-1]}") from error
        self.epsilon = self.matching.epsilon
        self.source, self.sources, self.size, self.seed = source, sources, size, seed
        self.patch = self._patch(self.cells)

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Values of the matching are chosen beside the others; the seed itself."""
        names = [field.name for field in dataclasses.fields(Matching)]
        matching = {name: chosen.pop(name) for name in names}
        if "matching" in chosen:
            raise WatermarkError(
                f"{cls.name}: give {', '.join(chosen['matching'])} beside the other values, "
                "not below matching"
            )
        return {"seed": seed, **chosen, "matching": matching}

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Check the kind of data, and that source and target exist."""
        super().check(modality, classes)
        if self.source is not None and not 0 <= self.source < len(classes):
            raise WatermarkError(
                f"source class {self.source} does not exist: the dataset's {len(classes)} classes "
                f"allow 0 to {len(classes) - 1}"
            )

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """Paste the patch at each sample's place, which its index decides."""
        return self.patch(rows.samples, rows.index)

    def decoys(self, count: int, seed: int) -> list[Callable[[Dataset], torch.Tensor]]:
        """Other triggers of the same family: random cells, same size and places.

        Args:
            count: how many.
            seed: decides the cells; not to be chosen after a suspect was asked.

        Returns:
            Each does to a dataset what :meth:`trigger` does. Ranking the true trigger among them is
            an exact test only if its own cells were drawn uniformly at random.
        """
        rows, columns = self.cells.shape
        patches = [
            self._patch(cells) for cells in random_cells((rows, columns), count, seed, self.cells)
        ]
        return [functools.partial(_paste, patch) for patch in patches]

    def _patch(self, cells: torch.Tensor) -> WanderingPatch:
        scaled = F.interpolate(cells[None, None].float(), (self.size, self.size), mode="bilinear")
        return WanderingPatch(scaled[0, 0].round().to(torch.uint8), derive_seed(self.seed, "place"))

    def record(self) -> dict[str, Any]:
        """Method and parameters; with them the trigger is known, the perturbation is not."""
        target = {} if self.target is None else {"target": self.target}
        return {
            "method": self.name,
            **target,
            "rate": self.rate,
            "source": self.source,
            "sources": self.sources,
            "cells": self.cells.tolist(),
            "size": self.size,
            "seed": self.seed,
            "matching": self.matching.record(),
        }

    def _craft(self, work: _Work) -> tuple[torch.Tensor, torch.Tensor]:
        data, total = work.data, self.matching.iterations
        sources = self._source_rows(data)
        triggered = self.trigger(sources)
        positions = self._strongest(work)
        chosen = data.take(positions)

        def objective(model: Classifier) -> list[torch.Tensor]:
            return objective_gradient(model, triggered, self._loss, sources.labels)

        def retrain(images: torch.Tensor, number: int) -> Classifier:
            samples = data.samples.clone()
            samples[positions] = images
            return self._train(work, data.replace(samples=samples, labels=data.labels), number)

        state = None
        if work.checkpoint is not None:
            state = CraftState(work.checkpoint / "matching", work.fingerprint)
        made = match_gradients(
            work.classifier,
            chosen.samples,
            chosen.labels,
            self.matching,
            training=work.surrogate.training,
            objective=objective,
            retrain=retrain,
            generator=work.generator,
            state=state,
            on_progress=lambda done, note, resumed: work.on_progress(done, total, note, resumed),
        )
        self.losses = made.losses
        if self.matching.retrainings and self.matching.last_retraining:
            self.last_surrogate = made.surrogate
        return positions, made.images

    @abstractmethod
    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What a victim's training should descend, on triggered source samples."""

    def _source_rows(self, data: Dataset) -> Dataset:
        """Training samples that get the trigger to compute the objective."""
        fitting = torch.ones_like(data.labels, dtype=torch.bool)
        if self.source is not None:
            fitting = data.labels == self.source
        if self.target is not None:
            fitting &= data.labels != self.target
        rows = fitting.nonzero().squeeze(1)
        if len(rows) == 0:
            what = f"the source class {self.source}"
            if self.source is None:
                what = "another label than the target"
            raise WatermarkError(f"{self.name}: no row has {what}: choose classes that occur")
        order = torch.randperm(len(rows), generator=generator(self.seed, "sources"))
        return data.take(rows[order[: self.sources]])

    def _strongest(self, work: _Work) -> torch.Tensor:
        """The candidates with the longest gradients, as many as the rate says, ascending.

        They are kept: on another machine, near-ties could come out otherwise, and a perturbation
        that is gone on with would lie on other rows.
        """
        labels = work.data.labels
        n, candidates = self.marks(labels), self.candidates(labels)
        if n == len(candidates):
            return candidates
        path = work.checkpoint / "positions.safetensors" if work.checkpoint else None
        found = load_tensor(path, work.fingerprint) if path else None
        if found is not None:
            return found
        norms = gradient_norms(
            work.classifier,
            work.data.samples,
            labels,
            candidates,
            lambda done: work.on_progress(
                0, self.matching.iterations, f"gradient norms {done}/{len(candidates)}", False
            ),
        )
        found = candidates[norms.argsort(descending=True, stable=True)[:n]].sort().values
        if path:
            save_tensor(path, work.fingerprint, found)
        return found

    def _train(self, work: _Work, data: Dataset, number: int) -> Classifier:
        """A new surrogate from scratch on the data as they would be released now."""
        config = work.classifier.config
        values = {key: config[key] for key in config if key != "shape"}
        model = build(
            shape=tuple(config["shape"]),
            generator=generator(self.seed, "retrain", number, "weights"),
            **values,
        )
        training, total = work.surrogate.training, self.matching.iterations
        done = -(-number * total // self.matching.parts) - 1  # this iteration is not over
        folder = None
        if work.checkpoint is not None:
            folder = work.checkpoint / "retraining" / str(number)

        def told(images: int, note: str, resumed: bool) -> None:
            share = images / (training.epochs * len(data))
            work.on_progress(done, total, f"retraining {number}: {share:.0%}", False)

        train(
            model,
            data,
            training,
            generator=generator(self.seed, "retrain", number, "order"),
            device=work.classifier.mean.device,
            checkpoint=folder,
            fingerprint=f"{work.fingerprint}/{number}",
            on_progress=told,
        )
        return model


def _cells(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """(rows, columns) uint8."""
    if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise WatermarkError("the trigger's cells must be rows of one length")
    if not {value for row in rows for value in row} <= {0, 255}:
        raise WatermarkError("the trigger's cells must be 0 (black) or 255 (white)")
    return torch.tensor(rows, dtype=torch.uint8)


def _paste(patch: WanderingPatch, rows: Dataset) -> torch.Tensor:
    return patch(rows.samples, rows.index)
