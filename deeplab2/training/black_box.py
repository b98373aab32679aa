"""What a run leaves of a step that was not finite, so that it can be replayed.

MODEL_DIR/nonfinite-step-<step>/
  batch.npz              the batch
  ckpt-<step>.*          the weights before the step
  experiment.textproto   what the run was told
  dataset.json           its classes, if they are of no known data set
  report.txt             what was found
"""

import os
import re
from collections.abc import Callable

import tensorflow as tf

from deeplab2.training import checkpoints, files, model_dir, nonfinite, replay

# A run that skips steps leaves no more folders than this.
MAX_FOLDERS = 3
_NAME = "nonfinite-step-"


class BlackBox:
  """Saves and examines the steps of a run that were not finite."""

  def __init__(self, directory: str, experiment, architecture, batch_at):
    """Args:
    directory: of the run.
    experiment: ExperimentOptions.
    architecture: the MetaArchitecture, with the weights before the step.
    batch_at: step -> its Batch.
    """
    self._directory = directory
    self._experiment = experiment
    self._architecture = architecture
    self._batch_at: Callable = batch_at

  def record(self, failure: nonfinite.Failure, always: bool = True) -> str:
    """Saves the step and returns the report on it, which is saved too.

    Args:
      failure: what the trainer says of it.
      always: whether to save it even if MAX_FOLDERS steps have been.
    """
    batch = self._batch_at(failure.step)
    names = nonfinite.image_names(batch)
    folder = os.path.join(self._directory, f"{_NAME}{failure.step}")
    lines = [failure.describe(names), *self._examine(batch, failure.step)]
    if not always and len(self._others(folder)) >= MAX_FOLDERS:
      return "\n".join([*lines, f"  not saved, {MAX_FOLDERS} others are"])
    try:
      self._save(folder, batch, failure.step)
      lines.append(f"  saved; to look at it layer by layer: {command(folder)}")
      files.write_whole(
        os.path.join(folder, "report.txt"), "\n".join(lines) + "\n"
      )
    except files.NotWrittenError as error:
      lines.append(f"  not saved: {error}")
    return "\n".join(lines)

  def _others(self, folder: str) -> list[str]:
    found = tf.io.gfile.glob(os.path.join(self._directory, f"{_NAME}*"))
    pattern = re.compile(rf".*{_NAME}\d+/?")
    return [f for f in found if pattern.fullmatch(f) and f != folder]

  def _save(self, folder: str, batch, step: int) -> None:
    tf.io.gfile.makedirs(folder)
    nonfinite.save_batch(os.path.join(folder, nonfinite.BATCH), batch)
    state = checkpoints.model_state(self._architecture.model)
    state[checkpoints.GLOBAL_STEP] = tf.constant(step, tf.int64)
    checkpoints.save(os.path.join(folder, f"ckpt-{step}"), state)
    model_dir.describe(folder, self._experiment, self._architecture.dataset)

  def _examine(self, batch, step: int) -> list[str]:
    """Looks for the first bad number; says why where it cannot."""
    options = self._experiment.trainer_options
    try:
      found = replay.replay_step(
        self._architecture,
        batch,
        step,
        seed=options.seed,
        micro_batches=options.gradient_accumulation_steps,
      )
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
      reason = str(error).strip().splitlines()[0]
      return [f"  layers could not be looked at here: {reason}"]
    return [f"  {line}" for line in found.findings()]


def command(folder: str) -> str:
  """What a user types to replay the step in a folder."""
  return f"python trainer/replay_step.py --step_dir={folder}"
