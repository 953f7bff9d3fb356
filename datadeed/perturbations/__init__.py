"""Small changes of samples, computed against a surrogate model."""

from datadeed.perturbations.bounds import apply, check_epsilon
from datadeed.perturbations.matching import Matched, Matching, match_gradients
from datadeed.perturbations.pgd import pgd
from datadeed.perturbations.waveform import pgd_waveform

__all__ = [
    "Matched",
    "Matching",
    "apply",
    "check_epsilon",
    "match_gradients",
    "pgd",
    "pgd_waveform",
]
