"""The outer loop of evaluation: once, between training, or forever."""

import os
import time

import tensorflow as tf

from deeplab2.training import checkpoints
from deeplab2.training.checkpoint_files import BrokenCheckpointError
from deeplab2.training.evaluator import Evaluation

_POLL_SECONDS = 5.0
_FEW_CLASSES = 30


class EvaluationLoop:
  """Evaluates a model as it is, or as a run's checkpoints have it."""

  def __init__(
    self, evaluator, architecture, global_step, board, experiment, report, log
  ):
    """Args:
    evaluator: deeplab2.training.evaluator.Evaluator.
    architecture: the MetaArchitecture that it evaluates.
    global_step: variable that says how many updates the model had.
    board: Board for the curves.
    experiment: ExperimentOptions.
    report: takes the metrics of each evaluation, a dict for JSON.
    log: takes each line for people.
    """
    self._evaluator = evaluator
    self._dataset = architecture.dataset
    self._board = board
    self._experiment = experiment
    self._report = report
    self._log = log
    averaged = experiment.trainer_options.ema_decay > 0
    self._state = checkpoints.model_state(
      architecture.model, checkpoints.EMA if averaged else checkpoints.MODEL
    )
    self._state[checkpoints.GLOBAL_STEP] = global_step

  def evaluate(self) -> None:
    """Evaluates the model as it is."""
    names = self._dataset.class_names
    self._board.begin_at(int(self._state[checkpoints.GLOBAL_STEP].numpy()))
    steps = self._experiment.evaluator_options.eval_steps
    begun = time.monotonic()
    found = self._evaluator.evaluate(tf.constant(steps))
    seconds = time.monotonic() - begun
    self._board.scalars(found.step, found.scalars(names))
    self._log(evaluation_lines(found, names, seconds))
    self._report({"evaluation_seconds": seconds, "eval": found.to_dict(names)})

  def evaluate_checkpoint(self, prefix: str) -> None:
    """Evaluates the model as a checkpoint has it, averaged if the run does."""
    beside = ("optimizer/", checkpoints.MODEL, checkpoints.EMA)
    checkpoints.load(prefix, self._state, ignore=beside)
    self._log(f"Evaluating {prefix}.")
    self.evaluate()

  def evaluate_continuously(self, model_dir: str) -> None:
    """Evaluates each new checkpoint, up to that of the last training step."""
    solver = self._experiment.trainer_options.solver_options
    last = -1
    while last < solver.training_number_of_steps:
      step = self._newer_than(last, model_dir)
      if step is None:
        return
      try:
        self.evaluate_checkpoint(os.path.join(model_dir, f"ckpt-{step}"))
      except BrokenCheckpointError as error:  # or removed in the meantime
        self._log(f"Passed over {error}")
      last = step

  def _newer_than(self, last: int, model_dir: str) -> int | None:
    """The newest checkpoint's step once it is above `last`; None at timeout."""
    timeout = self._experiment.evaluator_options.continuous_eval_timeout
    patience = timeout if timeout >= 0 else float("inf")
    begun = time.monotonic()
    self._log(f"Waiting for a new checkpoint in {model_dir} ...")
    while time.monotonic() - begun < patience:
      steps = checkpoints.checkpoint_steps(model_dir)
      if steps and steps[-1] > last:
        return steps[-1]
      time.sleep(min(_POLL_SECONDS, patience / 10))
    self._log(f"No new checkpoint within continuous_eval_timeout, {timeout} s.")
    return None


def evaluation_lines(found: Evaluation, names, seconds: float) -> str:
  """Losses and a table of panoptic quality, for people."""
  losses = ", ".join(f"{n} {v:.4f}" for n, v in found.losses.items())
  head = (
    f"evaluation at step {found.step}: {found.images} images in {seconds:.1f} s"
  )
  if found.missing:
    head += f", {found.missing} more could not be read and are not scored"
  lines = [head + (f" | {losses}" if losses else "")]
  if found.quality is not None:
    lines.append(
      found.quality.table(names, per_class=len(names) <= _FEW_CLASSES)
    )
  return "\n".join(lines)
