"""Ground truth of an evaluation: the labels of the records, untouched."""

from typing import NamedTuple

import numpy as np

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.example_wire import read_example
from deeplab2.datasets.label_formats import decode_label
from deeplab2.datasets.records import (
  DEFAULT_LABEL_FORMAT,
  HEIGHT,
  LABEL,
  LABEL_FORMAT,
  WIDTH,
  RecordIndex,
)


class Truth(NamedTuple):
  """The label of one image at its own size."""

  panoptic: np.ndarray  # h w  int32
  crowd: np.ndarray  # h w  bool; things that are not told apart


class RecordTruths:
  """The truth of each image by its number in the order of the evaluation.

  The input pipeline resizes labels with the images; scores are taken at the
  images' own sizes, as the benchmarks do, so the labels are read once more.
  """

  def __init__(self, index: RecordIndex, dataset: DatasetDescription):
    self._index = index
    self._dataset = dataset

  def __call__(self, number: int) -> Truth:
    # Only of records that the pipeline has found to be good.
    features = read_example(self._index.read(number))
    panoptic = decode_label(
      features[LABEL],
      features.get(LABEL_FORMAT, DEFAULT_LABEL_FORMAT),
      (features[HEIGHT], features[WIDTH]),
    )
    return Truth(panoptic, crowd_of(panoptic, self._dataset))


def crowd_of(panoptic, dataset: DatasetDescription) -> np.ndarray:
  """Where a panoptic map has things without an instance: h w bool."""
  semantic, instance = dataset.codec.decode(panoptic)
  return np.isin(semantic, dataset.thing_ids) & (instance == 0)
