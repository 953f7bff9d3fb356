"""Thieves by what they do; each module has ``entries(setting)``."""
