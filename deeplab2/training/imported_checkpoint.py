"""A checkpoint of the original library as a folder that our programs read."""

import os
from collections.abc import Callable, Iterable

import tensorflow as tf

from deeplab2.interop.checkpoint_contents import CheckpointContents
from deeplab2.interop.checkpoint_sources import is_archive, open_checkpoint
from deeplab2.interop.checkpoint_targets import (
  announce,
  list_beside,
  target_prefix,
)
from deeplab2.interop.import_plan import Exceptions
from deeplab2.interop.import_report import table
from deeplab2.interop.import_weights import (
  UnexplainedError,
  import_weights,
  step_of,
)
from deeplab2.models import build_meta_architecture
from deeplab2.training import (
  checkpoint_files,
  checkpoints,
  files,
  model_dir,
)
from deeplab2.training.initial_weights import class_carry_over


def import_checkpoint(
  experiment,
  checkpoint_path: str,
  output_path: str,
  *,
  allow_missing: Iterable[str] = (),
  allow_unused: Iterable[str] = (),
  build: Callable = build_meta_architecture,
  log: Callable = print,
) -> str:
  """Writes what a checkpoint says of an experiment's model as one of ours.

  The experiment and its data set are put beside it, so that the folder is as
  good as one of a training run to evaluate, predict and export with.

  Args:
    experiment: checked ExperimentOptions.
    checkpoint_path: a prefix, a folder or an archive, of either library.
    output_path: prefix of the new checkpoint, or a folder for it.
    allow_missing: patterns of paths of variables that may start afresh.
    allow_unused: patterns of names that may be left in the file.
    build: experiment -> MetaArchitecture.
    log: takes each line for people: a table first, fitting or not.

  Returns:
    The prefix of the new checkpoint.

  Raises:
    ValueError: there is no checkpoint, it is broken or does not fit, or there
      is one, or another experiment, at the output already.
    files.NotWrittenError: there is no room, or another reason. Nothing is left
      of what was written.
  """
  options = experiment.model_options
  exceptions = Exceptions(
    missing=(*options.initial_checkpoint_allow_missing, *allow_missing),
    unused=(*options.initial_checkpoint_allow_unused, *allow_unused),
  )
  with open_checkpoint(checkpoint_path) as source:
    step = step_of(CheckpointContents(source)) or 0
    prefix = target_prefix(output_path, step)
    model_dir.claim(
      os.path.dirname(prefix), experiment, read_only=True, flag="output_path"
    )
    architecture = build(experiment)
    carry_over = class_carry_over(options, architecture.dataset)
    try:
      done = import_weights(
        architecture.model,
        source,
        exceptions,
        carry_over=carry_over,
        source=checkpoint_path if is_archive(checkpoint_path) else None,
      )
    except UnexplainedError as error:
      log(table(error.plan))
      raise
  for line in (f"{done.source}, a {done.plan.layout.title}:", done.table()):
    log(line)
  for line in done.lines():
    log(line)
  _write(experiment, architecture, prefix, step)
  return prefix


def _write(experiment, architecture, prefix: str, step: int) -> None:
  folder = os.path.dirname(prefix)
  state = checkpoints.model_state(architecture.model)
  state[checkpoints.GLOBAL_STEP] = tf.constant(step, tf.int64)
  paths = [
    *model_dir.description_paths(folder),
    *checkpoint_files.paths_of(prefix),
    list_beside(prefix),
  ]
  with files.writing(prefix), files.all_or_none(paths):
    model_dir.claim(folder, experiment)
    model_dir.describe(folder, experiment, architecture.dataset)
    checkpoints.save(prefix, state)
    announce(prefix)
