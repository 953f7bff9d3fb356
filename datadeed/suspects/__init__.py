"""Suspects for notebooks and scripts, under a short name: ``open_suspect("thief.yaml", ...)``."""

from datadeed.owner.suspects.opening import open_suspect

__all__ = ["open_suspect"]
