"""Ensemble inversion (Wang & Kurz 2022): what a set of models gives away of their training data."""
