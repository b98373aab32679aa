"""Where a run's batches and labels come from."""

import re

import tensorflow as tf

from deeplab2.datasets.records import RecordIndex
from deeplab2.input import pipeline
from deeplab2.training.truth import RecordTruths


class RecordData:
  """The TFRecords that an experiment names, as an architecture wants them."""

  def __init__(self, experiment, architecture):
    self._experiment = experiment
    self._dataset = architecture.dataset
    self._stride = architecture.target_stride

  def train(self, start_step: int = 0) -> tf.data.Dataset:
    """Batches from that of `start_step` on, without end."""
    return pipeline.train_batches(
      self._experiment.train_dataset_options,
      self._dataset,
      self._experiment.trainer_options.seed,
      start_step,
      target_stride=self._stride,
    )

  def eval(self) -> tf.data.Dataset:
    """Batches of the evaluation, each image once."""
    return pipeline.eval_batches(
      self._experiment.eval_dataset_options,
      self._dataset,
      target_stride=self._stride,
    )

  def truths(self):
    """Number of an image of `eval` -> its Truth; None without labels."""
    options = self._experiment.eval_dataset_options
    if not options.decode_groundtruth_label:
      return None
    index = RecordIndex.from_patterns(options.file_pattern)
    return RecordTruths(index, self._dataset)


def bad_record(error: tf.errors.OpError) -> str | None:
  """What the reader said of a record, out of TensorFlow's account of it.

  None where the error is about something else.
  """
  said = re.search(r"ValueError: (.+, record \d+: .+)", str(error))
  return said[1] if said else None
