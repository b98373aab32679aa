"""Datasets: their names, their classes, and the records that store them."""

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.known import DATASETS, load_dataset

__all__ = ["DATASETS", "DatasetDescription", "load_dataset"]
