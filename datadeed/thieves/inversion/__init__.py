"""Ensemble inversion: what a set of models gives away of the data that they were trained on."""
