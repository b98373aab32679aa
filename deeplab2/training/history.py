"""What a run wrote for TensorBoard, read back as plain records."""

import collections
import os

import numpy as np

# Keeps every point; by default TensorBoard's reader drops some.
_ALL = 0


def read_history(model_dir: str) -> list[dict[str, float]]:
  """The curves of a run, one record a step, ascending.

  Names have the part of the run in front: "train/losses/total_loss",
  "eval/pq/all". Each record has "step". Empty where nothing was written.
  """
  records = collections.defaultdict(dict)
  for part in ("train", "eval"):
    folder = os.path.join(model_dir, part)
    if os.path.isdir(folder):
      for step, name, value in _scalars(folder):
        records[step][f"{part}/{name}"] = value
  return [{"step": step, **records[step]} for step in sorted(records)]


def _scalars(folder):
  """(step, name, value) of each scalar in the event files of a folder."""
  # TensorBoard comes with TensorFlow.
  from tensorboard.backend.event_processing.event_accumulator import (
    TENSORS,
    EventAccumulator,
  )
  from tensorboard.util import tensor_util

  events = EventAccumulator(folder, size_guidance={TENSORS: _ALL}).Reload()
  for name in events.Tags()["tensors"]:
    for event in events.Tensors(name):
      value = tensor_util.make_ndarray(event.tensor_proto)
      if value.ndim == 0 and np.issubdtype(value.dtype, np.floating):
        yield event.step, name, value.item()
