"""What Tang et al.'s detection rate is worth as a test: simulated where its null just holds."""

from collections.abc import Callable

import numpy as np

from datadeed.verification.tang import Settings, significant_repetitions

Draw = Callable[[np.random.Generator, int], np.ndarray]


def simulate_detection_rates(
    rng: np.random.Generator,
    pools: int,
    *,
    pool: int,
    settings: Settings,
    draw: Draw = lambda rng, size: rng.standard_normal(size),
) -> np.ndarray:
    """The WDR of many pools.

    Args:
        rng: draws pools and repetitions.
        pools: how many.
        pool: samples in each, m at least.
        settings: m, repetitions, level.
        draw: gives rises less the certainty; symmetric around 0 unless given.

    Returns:
        (pools,) float64, 0 to 1.
    """
    found = [significant_repetitions(rng, draw(rng, pool), settings) for _ in range(pools)]
    return np.array(found) / settings.repetitions


def dependence(detection_rates: np.ndarray, settings: Settings) -> dict[str, float]:
    """How simulated WDRs scatter beside independent tests, and how often they accuse.

    Args:
        detection_rates: (P,) float64, of :func:`simulate_detection_rates`, not all 0 or all 1.
        settings: their repetitions.

    Returns:
        ``mean``; ``variance`` over pools, and that of as many independent tests; ``effective``,
        independent tests with the variance found; ``always``, share of pools with a WDR of 100 %
        (the type-I error of that rule), and ``ever``, of pools with one above 0.
    """
    mean, variance = float(detection_rates.mean()), float(detection_rates.var())
    return {
        "mean": mean,
        "variance": variance,
        "variance_if_independent": mean * (1 - mean) / settings.repetitions,
        "effective": mean * (1 - mean) / variance,
        "always": float((detection_rates == 1).mean()),
        "ever": float((detection_rates > 0).mean()),
    }
