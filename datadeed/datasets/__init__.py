"""Datasets: one form in memory and on disk, formats around it, sources that fetch."""
