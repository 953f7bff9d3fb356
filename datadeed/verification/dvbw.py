"""DVBW's verification of one suspect: the published tests, and the exact ones beside them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.verification import published
from datadeed.verification.answers import Answers
from datadeed.verification.exact import binomial_test, mcnemar_test
from datadeed.verification.metrics import (
    benign_accuracy,
    rate,
    watermark_success_rate,
    watermark_success_rate_as_released,
)
from datadeed.verification.verdict import behaviour_verdict

SCENARIOS = ("steal", "independent-trigger", "independent-model")


@dataclass(frozen=True)
class Settings:
    """DVBW's verification parameters.

    Attributes:
        m: benign samples a test asks about.
        tau: margin of the t-test; also the rate that the exact binomial test grants an innocent
            model (nominal: it was not calibrated on independent models).
        first_classes: the label-only test draws from labels below this.
        renumberings: random renumberings of the classes for the label-only value.
        alpha: level of the verdict.
    """

    m: int = 100
    tau: float = 0.2
    first_classes: int = 2
    renumberings: int = 1000
    alpha: float = 0.01


def verify_dvbw(
    answers: Answers, *, classes: int, settings: Settings, rng: np.random.Generator
) -> dict[str, Any]:
    """Run DVBW's two tests and the exact ones on a suspect's answers.

    Args:
        answers: clean and triggered answers on benign test samples.
        classes: number of classes.
        settings: m, tau and the rest.
        rng: draws the samples that the published tests ask about.

    Returns:
        JSON values: ``rates`` (over all samples), ``probability`` and ``label_only`` (over m
        samples each), ``verdict``.

    Raises:
        VerificationError: there are too few samples.
    """
    target, m = answers.target, settings.m
    rows = published.draw_rows(answers.label, target=target, m=m, rng=rng)
    with_probability = answers.take(rows)
    rows = published.draw_rows(
        answers.label, target=target, m=m, rng=rng, first_classes=settings.first_classes
    )
    label_only = answers.take(rows)
    low, median, high = published.dvbw_label_value_renumbered(
        label_only, classes=classes, times=settings.renumberings, rng=rng
    )
    return {
        "rates": {
            "benign_accuracy": benign_accuracy(answers).record(),
            "watermark_success": watermark_success_rate(answers).record(),
            "watermark_success_as_released": watermark_success_rate_as_released(answers).record(),
        },
        "probability": {
            "n": m,
            "tau": settings.tau,
            "delta_p": published.delta_p(with_probability),
            "p_published": published.dvbw_probability_test(with_probability, settings.tau),
            **_exact(with_probability, settings),
        },
        "label_only": {
            "n": m,
            "p_described": published.dvbw_label_test_described(label_only),
            "value_released": published.dvbw_label_value_released(label_only),
            "value_released_renumbered": {"min": low, "median": median, "max": high},
            **_exact(label_only, settings),
        },
        "verdict": behaviour_verdict(with_probability, settings.tau, settings.alpha),
    }


def _exact(answers: Answers, settings: Settings) -> dict[str, Any]:
    """The exact tests and the two-by-two table of clean and triggered hits."""
    clean = answers.clean_prediction == answers.target
    triggered = answers.triggered_prediction == answers.target
    return {
        "binomial": binomial_test(answers, settings.tau).record(),
        "mcnemar": mcnemar_test(answers).record(),
        "hits": {
            "both": int((clean & triggered).sum()),
            "clean_only": int((clean & ~triggered).sum()),
            "triggered_only": int((triggered & ~clean).sum()),
            "neither": int((~clean & ~triggered).sum()),
            "triggered_rate": rate(triggered).record(),
        },
    }
