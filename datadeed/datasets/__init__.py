"""Datasets: one form in memory and on disk, formats around it, sources that fetch."""

from datadeed.datasets.clips import Clips
from datadeed.datasets.dataset import Dataset, Form, stratified_subset
from datadeed.datasets.parquet import DatasetFile, DatasetWriter, read_dataset, write_dataset
from datadeed.datasets.texts import Texts

__all__ = [
    "Clips",
    "Dataset",
    "DatasetFile",
    "DatasetWriter",
    "Form",
    "Texts",
    "read_dataset",
    "stratified_subset",
    "write_dataset",
]
