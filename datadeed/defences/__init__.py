"""What a thief may do to find the marks in a released dataset (WSD of Tang et al. 2023)."""

from datadeed.defences.autoencoder import Autoencoder, AutoencoderConfig, fit_autoencoder
from datadeed.defences.grammar import Grammar, grammar_increase, harper, language_tool
from datadeed.defences.outliers import Confidence, Detector, Search, flagged, search

__all__ = [
    "Autoencoder",
    "AutoencoderConfig",
    "Confidence",
    "Detector",
    "Grammar",
    "Search",
    "fit_autoencoder",
    "flagged",
    "grammar_increase",
    "harper",
    "language_tool",
    "search",
]
