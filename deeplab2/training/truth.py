"""Ground truth of an evaluation: the labels of the records, untouched."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.records import HEIGHT, LABEL, WIDTH, RecordIndex


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
    string = tf.io.FixedLenFeature((), tf.string)
    integer = tf.io.FixedLenFeature((), tf.int64)
    features = tf.io.parse_single_example(
      self._index.read(number), {LABEL: string, HEIGHT: integer, WIDTH: integer}
    )
    panoptic = np.frombuffer(features[LABEL].numpy(), "<i4").reshape(
      int(features[HEIGHT]), int(features[WIDTH])
    )
    return Truth(panoptic, crowd_of(panoptic, self._dataset))


def crowd_of(panoptic, dataset: DatasetDescription) -> np.ndarray:
  """Where a panoptic map has things without an instance: h w bool."""
  semantic, instance = dataset.codec.decode(panoptic)
  return np.isin(semantic, dataset.thing_ids) & (instance == 0)
