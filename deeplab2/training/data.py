"""Where a run's batches and labels come from."""

import contextlib
import re
from collections.abc import Callable, Iterator

import tensorflow as tf

from deeplab2.datasets.records import RecordIndex
from deeplab2.input import pipeline
from deeplab2.input.bad_records import BadRecords
from deeplab2.input.crowding import Crowding
from deeplab2.training.bad_record_list import BadRecordList
from deeplab2.training.truth import RecordTruths


class RecordData:
  """The TFRecords that an experiment names, as an architecture wants them."""

  def __init__(self, experiment, architecture, log: Callable = print):
    """Args:
    experiment: ExperimentOptions.
    architecture: the MetaArchitecture that the data is for.
    log: takes each line for people.
    """
    self._experiment = experiment
    self._dataset = architecture.dataset
    self._stride = architecture.target_stride
    self._log = log
    self._bad = {
      split: BadRecords(
        self._options(split).max_bad_records,
        f"{split}_dataset_options.max_bad_records",
        lambda where, problem, split=split: self._say(split, where, problem),
      )
      for split in ("train", "eval")
    }
    self._list = None
    self._crowding = Crowding(
      self._dataset,
      self._options("train").max_thing_id,
      experiment.model_options.backbone.num_mask_slots,
      log,
    )

  def keep_list(self, model_dir: str) -> None:
    """Goes on counting the bad records of training from an earlier start."""
    self._list = BadRecordList(model_dir, self._log)
    self._bad["train"].suspects = self._list.read()

  def counts(self) -> dict[str, float]:
    """Name -> how many records of training are so, of those read up to now."""
    return {
      "bad_records": float(self._bad["train"].count),
      "crowded_images": float(self._crowding.count),
    }

  def train(
    self, start_step: int = 0, num_shards: int = 1, shard_index: int = 0
  ) -> tf.data.Dataset:
    """Batches from that of `start_step` on, without end.

    Of several hosts, each gets its part of every batch.
    """
    return pipeline.train_batches(
      self._options("train"),
      self._dataset,
      self._experiment.trainer_options.seed,
      start_step,
      target_stride=self._stride,
      num_shards=num_shards,
      shard_index=shard_index,
      bad=self._bad["train"],
      crowding=self._crowding,
    )

  def eval(self, num_shards: int = 1, shard_index: int = 0) -> tf.data.Dataset:
    """Batches of the evaluation, each image once; parts of them, of shards."""
    return pipeline.eval_batches(
      self._options("eval"),
      self._dataset,
      target_stride=self._stride,
      num_shards=num_shards,
      shard_index=shard_index,
      bad=self._bad["eval"],
    )

  def truths(self):
    """Number of an image of `eval` -> its Truth; None without labels."""
    options = self._options("eval")
    if not options.decode_groundtruth_label:
      return None
    index = RecordIndex.from_patterns(options.file_pattern, allow_damage=True)
    return RecordTruths(index, self._dataset)

  def _options(self, split: str):
    return getattr(self._experiment, f"{split}_dataset_options")

  def _say(self, split: str, where: str, problem: str) -> None:
    """Of a record that is passed over, or of one too many to be, an error."""
    if split == "train" and self._list:
      self._list.add(where, problem)
    bad = self._bad[split]
    if bad.count <= bad.limit:
      fate = "not scored" if split == "eval" else "another takes its place"
      self._log(
        f"Bad record {bad.count} of at most {bad.limit} of {split}: {where}: "
        f"{problem} ({fate})"
      )


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
  """Within, what the reader said of bad records is said by a ValueError."""
  try:
    yield
  except tf.errors.InvalidArgumentError as error:
    said = bad_record(error)
    if said is None:
      raise
    raise ValueError(said) from error


def bad_record(error: tf.errors.OpError) -> str | None:
  """What the reader said of a record, out of TensorFlow's account of it.

  None where the error is about something else.
  """
  said = re.search(
    r"Error: ((?:file_pattern|\w+_dataset_options)\b.+?)\n+Traceback",
    str(error),
    re.DOTALL,
  )
  return said[1] if said else None
