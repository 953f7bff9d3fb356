"""Sleeper Agent and UBW-C: clean-label watermarks by gradient matching.

A victim's training on the perturbed samples descends an objective of the owner's choice: to take
triggered samples of a source class for the target (Sleeper Agent), or to scatter the predictions of
triggered samples (UBW-C). The trigger itself never appears in the released data.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional as F

from datadeed.datasets import Dataset
from datadeed.dispersibility import sample_wise_dispersibility
from datadeed.errors import WatermarkError
from datadeed.models import Classifier, build
from datadeed.perturbations.gradients import gradient_norms, objective_gradient
from datadeed.perturbations.matching import Matching, match_gradients
from datadeed.perturbations.resume import CraftState
from datadeed.placing import WanderingPatch
from datadeed.randomness import derive_seed, generator
from datadeed.training import train
from datadeed.watermarks.crafted import Crafted, _Work
from datadeed.watermarks.decoys import random_cells


class GradientMatched(Crafted):
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
        matching: values of :class:`datadeed.perturbations.Matching`.

    Raises:
        WatermarkError: a value makes no sense.
    """

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
        self.source, self.sources, self.size, self.seed = source, sources, size, seed
        self.patch = self._patch(self.cells)
        self.losses: list[float] = []

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
            "matching": dataclasses.asdict(self.matching),
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
            work.surrogate.model,
            chosen.samples,
            chosen.labels,
            self.matching,
            objective=objective,
            retrain=retrain,
            generator=work.generator,
            state=state,
            on_progress=lambda done, note, resumed: work.on_progress(done, total, note, resumed),
        )
        self.losses = made.losses
        self.last_surrogate = made.surrogate if self.matching.retrainings else None
        return positions, made.images

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What a victim's training should descend, on triggered source samples."""
        raise NotImplementedError

    def _source_rows(self, data: Dataset) -> Dataset:
        """Training samples that get the trigger to compute the objective."""
        fitting = torch.ones_like(data.labels, dtype=torch.bool)
        if self.source is not None:
            fitting = data.labels == self.source
        if self.target is not None:
            fitting &= data.labels != self.target
        rows = fitting.nonzero().squeeze(1)
        if len(rows) == 0:
            what = "a class but the target" if self.source is None else f"class {self.source}"
            raise WatermarkError(
                f"{self.name}: the objective needs triggered samples of {what}, but no row has it: "
                "choose a source class that occurs"
            )
        order = torch.randperm(len(rows), generator=generator(self.seed, "sources"))
        return data.take(rows[order[: self.sources]])

    def _strongest(self, work: _Work) -> torch.Tensor:
        """The candidates with the longest gradients, as many as the rate says, ascending."""
        labels = work.data.labels
        n, candidates = self.marks(labels), self.candidates(labels)
        if n == len(candidates):
            return candidates
        norms = gradient_norms(
            work.surrogate.model,
            work.data.samples,
            labels,
            candidates,
            lambda done: work.on_progress(
                0, self.matching.iterations, f"gradient norms {done}/{len(candidates)}", False
            ),
        )
        return candidates[norms.argsort(descending=True, stable=True)[:n]].sort().values

    def _train(self, work: _Work, data: Dataset, number: int) -> Classifier:
        """A new surrogate from scratch on the data as they would be released now."""
        config = work.surrogate.model.config
        values = {key: config[key] for key in config if key != "shape"}
        model = build(
            shape=tuple(config["shape"]),
            generator=generator(self.seed, "retrain", number, "weights"),
            **values,
        )
        folder = None
        if work.checkpoint is not None:
            folder = work.checkpoint / "retraining" / str(number)
        train(
            model,
            data,
            work.surrogate.training,
            generator=generator(self.seed, "retrain", number, "order"),
            device=work.surrogate.model.mean.device,
            checkpoint=folder,
            fingerprint=f"{work.fingerprint}/{number}",
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


class SleeperAgent(GradientMatched):
    """Sleeper Agent (Souri et al. 2022): triggered source samples become the target.

    Marks rows of the target class; a victim learns to take samples of the source class (of all
    other classes if ``source`` is None) for the target when they carry the patch.
    """

    name = "sleeper-agent"

    def __init__(self, *, target: int, **values: Any):
        super().__init__(target=target, **values)
        if self.source == target:
            raise WatermarkError(f"source and target are both {target}: they must differ")

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows of the target class: other labels would not pull towards it."""
        return self._targets(labels)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert self.target is not None
        return F.cross_entropy(logits, torch.full_like(labels, self.target))


class UBWC(GradientMatched):
    """UBW-C (Li et al. 2022, section 3.4): triggered samples get scattered predictions.

    The objective raises the cross-entropy of triggered samples plus ``weight`` (the paper's
    lambda) times their sample-wise dispersibility. Marks rows of any class.
    """

    name = "ubw-c"

    def __init__(self, *, weight: float, **values: Any):
        super().__init__(target=None, **values)
        if not weight >= 0:
            raise WatermarkError(f"weight {weight} of the dispersibility: give 0 or more")
        self.weight = weight

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Also check that wrong predictions can scatter at all."""
        super().check(modality, classes)
        if len(classes) < 3:
            raise WatermarkError(
                f"{self.name} scatters predictions over classes, but there are {len(classes)}: it "
                "needs 3 or more"
            )

    def record(self) -> dict[str, Any]:
        """Method and parameters."""
        return {**super().record(), "weight": self.weight}

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        scattered = sample_wise_dispersibility(logits.softmax(1))
        return -(F.cross_entropy(logits, labels) + self.weight * scattered)
