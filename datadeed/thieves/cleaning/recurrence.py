"""How far a code recurs at one place beyond what it does elsewhere."""

import numpy as np
from scipy.special import xlogy


def surprise(rows: np.ndarray, places: np.ndarray, codes: np.ndarray, spots: int) -> np.ndarray:
    """How unexpected it is that so many rows show one code at one place.

    A code that means nothing turns up everywhere alike. Of a code that ``n`` rows show at a place,
    and ``m`` in a place elsewhere on average, this is the log-likelihood ratio of n against m
    (Poisson), 0 where n is no more than m or only one row shows it.

    Args:
        rows, places, codes: (M,) int64, of each finding: a row has one code a place at most.
        spots: how many places there are, 2 or more.

    Returns:
        (M,) float64, of each finding.
    """
    if not len(rows):
        return np.zeros(0)
    _, code, total = np.unique(codes, return_inverse=True, return_counts=True)
    _, here, count = np.unique(
        code.astype(np.int64) * spots + places, return_inverse=True, return_counts=True
    )
    n, everywhere = count[here].astype(np.float64), total[code]
    elsewhere = (everywhere - n + 1) / (spots - 1)
    gain = xlogy(n, n / elsewhere) - (n - elsewhere)
    return np.where((n > elsewhere) & (n > 1), gain, 0.0)


def highest(found: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """The highest of each row's findings, (n,) float64; 0 for a row without one."""
    most = np.zeros(n)
    np.maximum.at(most, rows, found)
    return most
