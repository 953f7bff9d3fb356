"""Many watched suspects at once: which of them to look at first, with a bound on false ones."""

from collections.abc import Mapping

import numpy as np

from datadeed.errors import VerificationError
from datadeed.verification.multiplicity import e_bh


def listed(log_e: Mapping[str, float], *, alpha: float, watches: int) -> set[str]:
    """The suspects that e-BH names: of these a share of at most ``alpha`` is false on average.

    A watch's evidence never falls and its largest value is at most 1 on average over the key's
    labels (:mod:`datadeed.verification.lifetime`), so that it is an e-value on whatever day this is
    asked; that the suspects share the key does no harm. All are named that have reached
    ``watches / alpha``, the bar of a watch by itself, and where k have, those that have reached
    1/k of it. Wang and Ramdas, "False discovery rate control with e-values", JRSSB 2022.

    Args:
        log_e: suspect to the natural logarithm of its watch's evidence.
        alpha: false-discovery rate, strictly between 0 and 1; the key's.
        watches: suspects times keys that are or ever will be watched, as the bar has them; those
            that are not in ``log_e`` have no evidence.

    Raises:
        VerificationError: there are more suspects than watches, or a number is out of its range.
    """
    if len(log_e) > watches:
        raise VerificationError(
            f"{len(log_e)} suspects are more than the {watches} watches that the bar was set for"
        )
    values = np.full(max(watches, 1), -np.inf)
    values[: len(log_e)] = list(log_e.values())
    return {name for name, named in zip(log_e, e_bh(values, alpha), strict=False) if named}
