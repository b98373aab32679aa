"""A config beside its data sets: class counts, sizes, records on disk."""

import glob
import os
from collections.abc import Iterator

from deeplab2.config.config_pb2 import DatasetOptions, ExperimentOptions
from deeplab2.config.fields import is_set, value_at
from deeplab2.config.rules import problem
from deeplab2.datasets import DatasetDescription, load_dataset

_CHECKPOINT = "model_options.initial_checkpoint"
_CARRY_OVER = "model_options.carry_over_classes_from"
_OF_CHECKPOINT = (
  _CARRY_OVER,
  f"{_CHECKPOINT}_allow_missing",
  f"{_CHECKPOINT}_allow_unused",
)
_ARCHIVES = (".tar.gz", ".tgz", ".tar")


def described_datasets(
  experiment: ExperimentOptions,
) -> tuple[dict[str, DatasetDescription], list[str]]:
  """Descriptions by split, and a line for each that cannot be had."""
  found, problems = {}, []
  for split in ("train", "eval"):
    name = getattr(experiment, f"{split}_dataset_options").dataset
    try:
      found[split] = load_dataset(name)
    except ValueError as error:
      text = f"{error}".removeprefix("dataset: ")
      problems.append(f"{split}_dataset_options.dataset: {text}")
  return found, problems


def class_problems(datasets: dict[str, DatasetDescription]) -> Iterator[str]:
  """A line where a model of one data set cannot be scored on the other."""
  train, other = datasets["train"], datasets["eval"]
  if other.layout != train.layout:
    yield (
      "eval_dataset_options.dataset: expected the classes of "
      f"train_dataset_options.dataset, '{train.name}'; got others, those of "
      f"'{other.name}'."
    )


def size_problems(
  options: DatasetOptions, path: str, output_stride: int
) -> Iterator[str]:
  """A line for each size that the network or the resizing cannot take."""
  crop = list(options.crop_size)
  if len(crop) != 2:
    yield problem(
      f"{path}.crop_size", "height and width, such as 641, 641", crop
    )
  example = 640 // output_stride * output_stride + 1
  for side in dict.fromkeys(crop):
    if side <= output_stride or side % output_stride != 1:
      yield problem(
        f"{path}.crop_size", f"{output_stride}*k + 1, such as {example}", side
      )
  low, high = _pair(options.min_resize_value), _pair(options.max_resize_value)
  if any(0 < high_ < low_ for low_, high_ in zip(low, high, strict=True)):
    yield problem(
      f"{path}.min_resize_value",
      f"at most max_resize_value {list(options.max_resize_value)}",
      list(options.min_resize_value),
    )


def file_problems(experiment: ExperimentOptions, splits) -> Iterator[str]:
  """A line for each file that the run will miss, with what makes it."""
  for split in splits:
    options = getattr(experiment, f"{split}_dataset_options")
    for pattern in options.file_pattern:
      if not _exists(pattern):
        yield (
          f"{split}_dataset_options.file_pattern: expected TFRecord files at "
          f"'{pattern}'; got none. {_how_to_make(options.dataset)}"
        )
  if "train" in splits:
    yield from _checkpoint_problems(experiment)


def _checkpoint_problems(experiment: ExperimentOptions) -> Iterator[str]:
  checkpoint = experiment.model_options.initial_checkpoint
  if checkpoint and not is_checkpoint(checkpoint):
    yield (
      f"{_CHECKPOINT}: expected a checkpoint, a prefix of files, a folder or a "
      f".tar.gz; got '{checkpoint}', where there is none. An empty one starts "
      f"from random weights: --set {_CHECKPOINT}="
    )
  for path in _OF_CHECKPOINT:
    if not checkpoint and is_set(experiment, path):
      yield problem(
        path, f"unset without {_CHECKPOINT}", value_at(experiment, path)
      )


def carry_over_problems(experiment: ExperimentOptions) -> Iterator[str]:
  """A line if the classes to carry over are of no known data set."""
  name = experiment.model_options.carry_over_classes_from
  try:
    if name:
      load_dataset(name)
  except ValueError as error:
    yield f"{_CARRY_OVER}: {f'{error}'.removeprefix('dataset: ')}"


def _pair(values) -> tuple[int, int]:
  """Height and width of a bound that may have been given once or not at all."""
  numbers = list(values) or [0]
  return numbers[0], numbers[-1]


def _exists(pattern: str) -> bool:
  return _is_remote(pattern) or bool(glob.glob(pattern))


def is_checkpoint(path: str) -> bool:
  """Whether there is something at a path that could be a checkpoint."""
  if path.endswith(_ARCHIVES) and os.path.isfile(path):
    return True
  escaped = glob.escape(path.rstrip("/").removesuffix(".index"))
  return _is_remote(path) or any(
    glob.glob(escaped + ending) for ending in (".index", "/*.index")
  )


def _is_remote(path: str) -> bool:
  """Whether only TensorFlow can look there, as in gs://bucket/train*."""
  return "://" in path


def _how_to_make(dataset: str) -> str:
  if dataset == "coco_panoptic":
    return (
      "Make them with data/build_coco_data.py (g3doc/setup/coco.md), or name "
      "others."
    )
  return (
    "Make them with data/build_coco_data.py (g3doc/setup/your_own_dataset.md), "
    "or name others."
  )
