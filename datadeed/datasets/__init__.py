"""Datasets: one form in memory and on disk, formats around it, sources that fetch."""

from datadeed.datasets.dataset import Dataset, stratified_subset
from datadeed.datasets.parquet import DatasetFile, DatasetWriter, read_dataset, write_dataset

__all__ = [
    "Dataset",
    "DatasetFile",
    "DatasetWriter",
    "read_dataset",
    "stratified_subset",
    "write_dataset",
]
