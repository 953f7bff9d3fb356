"""The cleaners by name. Naming one imports that one alone."""

import pkgutil
from typing import Any

from datadeed.errors import ParameterError
from datadeed.thieves.cleaning.base import Cleaner

CLEANERS = {
    "windows": "datadeed.thieves.cleaning.windows:RecurringWindows",
    "patches": "datadeed.thieves.cleaning.patches:Patches",
    "fft-peaks": "datadeed.thieves.cleaning.fft_peaks:FFTPeaks",
    "spectral-signatures": "datadeed.thieves.cleaning.spectral_signatures:SpectralSignatures",
    "activation-clustering": "datadeed.thieves.cleaning.activation_clustering:ActivationClustering",
    "held-out-loss": "datadeed.thieves.cleaning.losses:HeldOutLoss",
    "label-issues": "datadeed.thieves.cleaning.label_issues:LabelIssues",
    "early-loss": "datadeed.thieves.cleaning.losses:EarlyLoss",
    "early-neighbours": "datadeed.thieves.cleaning.early_neighbours:EarlyNeighbours",
    "n-grams": "datadeed.thieves.cleaning.ngrams:NGrams",
    "snippets": "datadeed.thieves.cleaning.snippets:Snippets",
}


def build_cleaner(name: str, **values: Any) -> Cleaner:
    """The cleaner of that name (a key of :data:`CLEANERS`) with these parameters.

    Raises:
        ParameterError: the name is unknown, or a parameter is superfluous.
    """
    if name not in CLEANERS:
        raise ParameterError(f"unknown cleaner {name!r}: choose {', '.join(CLEANERS)}")
    kind: type[Cleaner] = pkgutil.resolve_name(CLEANERS[name])
    try:
        return kind(**values)
    except TypeError as error:
        raise ParameterError(f"{name}: {str(error).split('() ')[-1]}") from error
