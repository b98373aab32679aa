"""What else a run leaves in its directory: its experiment and its metrics.

experiment.textproto   the experiment, all placeholders filled
dataset.json           the classes, if they are of no known data set
metrics.json           what came out
ckpt-<step>.*          checkpoints
train/, eval/          for TensorBoard
"""

import difflib
import json
import os

import tensorflow as tf

from deeplab2.config import config_pb2, format_textproto, parse_experiment
from deeplab2.datasets import DATASETS
from deeplab2.training import files

EXPERIMENT = "experiment.textproto"
DATASET = "dataset.json"
METRICS = "metrics.json"

# What a run may change when it goes on: where it looks, not what it learns; and
# what may be bad, so that a run which stopped over it may go on.
_FREE = ("evaluator_options", "eval_dataset_options")
_FREE_IN_TRAIN_DATASET = ("max_bad_records",)
_FREE_IN_TRAINER = (
  "num_checkpoints_to_keep",
  "save_checkpoints_steps",
  "save_summaries_steps",
  "steps_per_loop",
  "nonfinite_policy",
  "max_skipped_steps",
)


def default_model_dir(experiment) -> str:
  """`runs/<experiment_name>` below the working directory."""
  return os.path.join("runs", experiment.experiment_name)


def claim(
  model_dir: str,
  experiment,
  *,
  read_only: bool = False,
  flag: str = "model_dir",
) -> None:
  """Makes the directory this experiment's, or checks that it is.

  Args:
    model_dir: the directory; it need not be there.
    experiment: ExperimentOptions.
    read_only: that it only checks; another host, or a later call, makes it.
    flag: with which people chose the directory.

  Raises:
    ValueError: another experiment was trained there; the message shows the
      difference. Or the file that says which one is broken, or as `check_free`.
  """
  check_free(model_dir, flag=flag)
  path = os.path.join(model_dir, EXPERIMENT)
  if tf.io.gfile.exists(path):
    difference = _difference(_experiment_of(path), experiment)
    if difference:
      raise ValueError(
        f"{flag}: expected an empty directory, or one of this experiment;"
        f" {model_dir} has another one. Choose another --{flag}, or undo"
        f" what differs (- there, + now):\n{difference}"
      )
  if read_only:
    return
  tf.io.gfile.makedirs(model_dir)
  files.write_whole(path, format_textproto(experiment))


def check_free(model_dir: str, *, flag: str = "model_dir") -> None:
  """Raises ValueError if a directory is where a run writes a file."""
  for name in (EXPERIMENT, DATASET, METRICS):
    path = os.path.join(model_dir, name)
    if tf.io.gfile.isdir(path):
      raise ValueError(
        f"{flag}: expected nothing or a file at {path}, where runs write; got"
        " a directory."
      )


def _experiment_of(path: str):
  """What a run wrote about itself, which a broken disk may have garbled."""
  try:
    experiment = parse_experiment(path)
    reason = "it is empty" if not experiment.ByteSize() else None
  except (ValueError, OSError) as error:
    reason = error
  if reason:
    raise ValueError(
      f"model_dir: expected in {path} what a run was told; it cannot be read:"
      f" {reason}. If the directory is of this experiment, remove that file."
    )
  return experiment


def description_paths(model_dir: str) -> list[str]:
  """The files that `describe` may write."""
  return [os.path.join(model_dir, name) for name in (EXPERIMENT, DATASET)]


def describe(model_dir: str, experiment, dataset) -> None:
  """Writes what a folder of checkpoints needs to be used elsewhere.

  Args:
    model_dir: the folder, which exists.
    experiment: ExperimentOptions.
    dataset: DatasetDescription of the classes.
  """
  path = os.path.join(model_dir, EXPERIMENT)
  files.write_whole(path, format_textproto(experiment))
  if experiment.train_dataset_options.dataset not in DATASETS:
    files.write_whole(os.path.join(model_dir, DATASET), dataset.to_json())


def add_metrics(model_dir: str, metrics: dict) -> str:
  """Writes `metrics` into metrics.json, beside what is there; returns where."""
  tf.io.gfile.makedirs(model_dir)
  path = os.path.join(model_dir, METRICS)
  content = read_metrics(model_dir) | metrics
  files.write_whole(path, json.dumps(content, indent=2) + "\n")
  return path


def read_metrics(model_dir: str) -> dict:
  """What is in metrics.json; nothing where there is none that can be read."""
  path = os.path.join(model_dir, METRICS)
  if not tf.io.gfile.exists(path):
    return {}
  try:
    with tf.io.gfile.GFile(path) as file:
      return dict(json.load(file))
  except (ValueError, TypeError):
    return {}


def _difference(before, now) -> str:
  texts = [
    format_textproto(_what_is_learnt(e)).splitlines() for e in (before, now)
  ]
  lines = difflib.unified_diff(*texts, n=1, lineterm="")
  return "\n".join(list(lines)[2:])


def _what_is_learnt(experiment):
  """The experiment without what may change from one start to the next."""
  copy = config_pb2.ExperimentOptions()
  copy.CopyFrom(experiment)
  for field in _FREE:
    copy.ClearField(field)
  for field in _FREE_IN_TRAINER:
    copy.trainer_options.ClearField(field)
  for field in _FREE_IN_TRAIN_DATASET:
    copy.train_dataset_options.ClearField(field)
  return copy
