"""What innocent models do: the rate granted to them, from models trained without the data.

The unit is the model. Keys and queries of one model are no further models, and seeds of one recipe
are no stranger's model: give every recipe its own family. No value is ever trimmed as an outlier;
that is how a calibration lies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datadeed.errors import VerificationError


def conformal_p_value(innocent: np.ndarray, value: float) -> float:
    """``(1 + #{innocent >= value}) / (N + 1)``: the suspect's rank among innocent models.

    Null: the suspect is exchangeable with the innocent models. That is a claim about the world
    which no calculation can check. The floor is 1/(N + 1): 19 models for .05, 99 for .01.

    Args:
        innocent: (N,) one score a model, none left out.
        value: the suspect's score.

    Raises:
        VerificationError: no models, or a score that is infinite or not a number.
    """
    scores = _scores(innocent)
    if scores.ndim != 1:
        raise VerificationError(f"scores of shape {scores.shape}: give one a model")
    if not math.isfinite(value):
        raise VerificationError(f"a suspect's score of {value}: query it first")
    return float((1 + (scores >= value).sum()) / (len(scores) + 1))


def tolerance_models(coverage: float, confidence: float) -> int:
    """How many innocent models make the largest rate among them an upper tolerance limit.

    With N models that follow one law, the chance that a share ``coverage`` of all such models lies
    at or below the largest is at least ``1 - coverage ** N`` (Wilks 1941): 59 for .95 and .95.
    """
    for name, value in (("coverage", coverage), ("confidence", confidence)):
        if not 0 < value < 1:
            raise VerificationError(f"{name} {value}: give a value strictly between 0 and 1")
    return math.ceil(math.log1p(-confidence) / math.log(coverage))


@dataclass(frozen=True)
class NullRate:
    """The rate granted to an innocent model, and where it comes from.

    Attributes:
        rate: the largest rate of any model under any key, plus ``slack``; at most 1.
        source: "tolerance" if there were models enough, else "nominal": a convention, no bound.
        models: N, the effective sample size. models_wanted: what "tolerance" takes.
        coverage, confidence: what the bound would say.
        by_family: largest rate of each family, in order of first appearance.
        left_out: for each family, how far its largest rate lies above that of all others: how
            wrong the bound would have been, had this family been the stranger. At least 0; empty
            with one family alone.
        slack: what was added.
    """

    rate: float
    source: str
    models: int
    models_wanted: int
    coverage: float
    confidence: float
    by_family: dict[str, float]
    left_out: dict[str, float]
    slack: float


def tolerance_null_rate(
    rates_by_model: np.ndarray,
    families: Sequence[str],
    *,
    coverage: float = 0.95,
    confidence: float = 0.95,
    slack: float = 0.0,
) -> NullRate:
    """The null rate that a population of innocent models supports; freeze it before the suspect.

    Args:
        rates_by_model: (N,), or (N, R) for R random keys a model; hit rates, 0 to 1.
        families: (N,) each model's recipe (data, architecture, augmentation), not its seed.
        coverage, confidence: of the tolerance limit.
        slack: stated margin on top, at least 0.

    Raises:
        VerificationError: no models, not one family a model, or a number out of its range.
    """
    rates = _scores(rates_by_model)
    if rates.ndim > 2 or not ((rates >= 0) & (rates <= 1)).all():
        raise VerificationError("hit rates are from 0 to 1, one row a model: check the calibration")
    if len(families) != len(rates):
        raise VerificationError(f"{len(rates)} models, {len(families)} families: name one each")
    if not 0 <= slack < 1:
        raise VerificationError(f"slack {slack}: give a value from 0 to below 1")
    largest = rates.reshape(len(rates), -1).max(1)  # the model is the unit, however many keys
    wanted = tolerance_models(coverage, confidence)
    by_family: dict[str, float] = {}
    for family, rate in zip(families, largest.tolist(), strict=True):
        by_family[family] = max(rate, by_family.get(family, 0.0))
    return NullRate(
        rate=min(1.0, float(largest.max()) + slack),
        source="tolerance" if len(rates) >= wanted else "nominal",
        models=len(rates),
        models_wanted=wanted,
        coverage=coverage,
        confidence=confidence,
        by_family=by_family,
        left_out=_left_out(by_family),
        slack=slack,
    )


def _left_out(by_family: dict[str, float]) -> dict[str, float]:
    if len(by_family) < 2:
        return {}
    return {
        family: max(0.0, rate - max(r for other, r in by_family.items() if other != family))
        for family, rate in by_family.items()
    }


def _scores(values: np.ndarray) -> np.ndarray:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim == 0 or scores.size == 0:
        raise VerificationError(
            "no innocent models: train or gather some, or call the rate nominal"
        )
    if not np.isfinite(scores).all():
        raise VerificationError("a model's score is infinite or not a number: measure it again")
    return scores
