"""How far a binary code recurs at one place beyond what images do by themselves."""

import numpy as np
from scipy.special import xlogy

ALIKE = 4  # times its commonest neighbour that a code may turn up by itself
FEWEST = 3  # rows with one code at one place


def surprise(
    rows: np.ndarray, places: np.ndarray, codes: np.ndarray, *, spots: int, bits: int
) -> np.ndarray:
    """How unexpected it is that so many rows show one code at one place.

    What images show by themselves they show elsewhere too, or, where objects lie alike in all
    images, with a bit more or less: codes that differ in one bit turn up about as often. Of a code
    that ``n`` rows show at a place, this is the log-likelihood ratio (Poisson) of n against m, the
    larger of its mean number in another place and four times the number of its commonest neighbour
    here; 0 where n is no more than m, or below three.

    Args:
        rows, places, codes: (M,) int64, of each finding: a row has one code a place at most.
        spots: how many places there are, 2 or more.
        bits: of a code.

    Returns:
        (M,) float64, of each finding.
    """
    if not len(rows):
        return np.zeros(0)
    found, here, count = np.unique(
        (places << bits) | codes, return_inverse=True, return_counts=True
    )
    return _gain(found, count, spots, bits)[here]


def _gain(found: np.ndarray, count: np.ndarray, spots: int, bits: int) -> np.ndarray:
    """Of each place and code, (U,) ascending, that so many rows show."""
    gain = np.zeros(len(found))
    often = np.flatnonzero(count >= FEWEST)
    code = found & ((1 << bits) - 1)
    kinds, kind = np.unique(code, return_inverse=True)
    everywhere = np.bincount(kind, weights=count, minlength=len(kinds))[kind]
    n = count[often].astype(np.float64)
    usual = (everywhere[often] - n + 1) / (spots - 1)
    for bit in range(bits):
        other = found[often] ^ (1 << bit)
        at = np.minimum(np.searchsorted(found, other), len(found) - 1)
        beside = np.where(found[at] == other, count[at], 0)
        usual = np.maximum(usual, ALIKE * beside)
    gain[often] = np.where(n > usual, xlogy(n, n / usual) - (n - usual), 0.0)
    return gain


def highest(found: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """The highest of each row's findings, (n,) float64; 0 for a row without one."""
    most = np.zeros(n)
    np.maximum.at(most, rows, found)
    return most
