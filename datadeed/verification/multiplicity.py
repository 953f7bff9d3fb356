"""Many suspects under one key: how the bar rises with their number.

A suspect counts from the moment it is tested, whatever came of it. E-values are those at which each
suspect's own test stopped, not the largest on the way.
"""

import math

import numpy as np

from datadeed.errors import VerificationError


def e_bh(log_e: np.ndarray, level: float) -> np.ndarray:
    """Which suspects to accuse, with a share of false accusations of at most ``level`` on average.

    Null, for each suspect: its e-value is at most 1 on average. The suspects may depend on each
    other in any way. Rejects the ``k`` largest, k being the largest number for which the k-th
    largest e-value is at least M / (k level). Wang and Ramdas, "False discovery rate control with
    e-values", JRSSB 2022 (arXiv 2009.02824).

    Args:
        log_e: (M,) natural logarithms; infinities are allowed.
        level: false-discovery rate, strictly between 0 and 1.

    Returns:
        (M,) bool.

    Raises:
        VerificationError: no suspects, a value that is not a number, or a level out of range.
    """
    log_e = np.asarray(log_e, dtype=np.float64)
    if log_e.ndim != 1 or len(log_e) == 0 or np.isnan(log_e).any():
        raise VerificationError("give one number, the logarithm of an e-value, for each suspect")
    _check_level(level)
    largest_first = np.sort(log_e)[::-1]
    bars = math.log(len(log_e) / level) - np.log(np.arange(1, len(log_e) + 1))
    passed = np.flatnonzero(largest_first >= bars)
    if len(passed) == 0:
        return np.zeros(len(log_e), dtype=bool)
    return np.asarray(log_e >= bars[passed[-1]])


def familywise_threshold(alpha: float, suspects: int) -> float:
    """``M / alpha``: the e-value to ask of each so that any false accusation has chance ``alpha``.

    Args:
        alpha: strictly between 0 and 1.
        suspects: M, all ever tested under this key, at least 1.
    """
    _check_level(alpha)
    if suspects < 1:
        raise VerificationError(f"{suspects} suspects: count every one tested, at least this one")
    return suspects / alpha


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise VerificationError(f"level {level}: give a value strictly between 0 and 1")
