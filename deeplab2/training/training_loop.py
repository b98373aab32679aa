"""The outer loop of training: speak, save, stop.

`orbit.Controller` has such a loop too. It cannot stop a run in the middle of
its inner loop, pass over a broken checkpoint or hold its tongue about hundreds
of metrics, so this one calls orbit's trainer itself.
"""

import os
import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from deeplab2.training import nonfinite, progress


class RunInterruptedError(Exception):
  """The run was asked to end, and did so after it had saved its state."""


class TrainingLoop:
  """Takes a trainer's steps, in runs of `steps_per_loop`."""

  def __init__(
    self, trainer, folder, board, experiment, *, batch_at, log: Callable = print
  ):
    """Args:
    trainer: deeplab2.training.trainer.Trainer.
    folder: CheckpointFolder of the run.
    board: Board for the curves.
    experiment: ExperimentOptions.
    batch_at: step -> the Batch of that step, to show what went wrong.
    log: takes each line for people.
    """
    self._trainer = trainer
    self._folder = folder
    self._board = board
    self._options = experiment.trainer_options
    self._batch_size = experiment.train_dataset_options.batch_size
    self._batch_at = batch_at
    self._log = log
    self._compiled = False
    self._saved = None
    self._window = _Window()
    self.seconds = 0.0  # spent in steps, compiling included
    self.means: Mapping[str, float] = {}  # of the last steps taken

  @property
  def step(self) -> int:
    """Updates done."""
    return self._trainer.step

  @property
  def total_steps(self) -> int:
    """Updates to do in all."""
    return self._options.solver_options.training_number_of_steps

  def run_to(self, target: int) -> None:
    """Trains until `target` updates are done.

    Raises:
      RunInterruptedError: the trainer was halted from outside. The state is
        saved.
      NonFiniteError: a step was not finite; the state before it is saved.
    """
    while self.step < target:
      self._take(min(target, self._next_stop()) - self.step)
      if self._trainer.failure is not None:
        self._fail(self._trainer.failure)
      if self.step % self._options.save_checkpoints_steps == 0:
        self.save()
      if self._trainer.halted:
        self.stop()

  def save(self) -> None:
    """Saves the state, unless that was done at this step."""
    if self._saved != self.step:
      self._folder.save(self.step)
      self._saved = self.step

  def stop(self) -> None:
    """Saves the state and ends the run."""
    self.save()
    raise RunInterruptedError(
      f"Interrupted at step {self.step} of {self.total_steps}. The same command"
      f" goes on from {self._folder.prefix(self.step)}."
    )

  def _next_stop(self) -> int:
    """The next step after which there is something to do or to say."""
    if not self._compiled:
      return self.step + 1
    intervals = (
      self._options.steps_per_loop,
      self._options.save_checkpoints_steps,
      self._options.save_summaries_steps,
    )
    return min((self.step // n + 1) * n for n in intervals)

  def _take(self, steps: int) -> None:
    """Takes steps in one graph, and says so."""
    before, begun = self.step, time.monotonic()
    if not self._compiled:
      self._log("Compiling the training step, which may take a minute ...")
    self.means = self._trainer.train(tf.constant(steps))
    seconds, taken = time.monotonic() - begun, self.step - before
    self.seconds += seconds
    if not taken:  # halted before the first
      return
    self._window.add(self.means, taken)
    if not self._compiled:
      self._compiled = True
      self._log(f"The first step took {progress.duration(seconds)}.")
    else:
      self._report(taken / seconds)

  def _report(self, steps_per_second: float) -> None:
    line = progress.training_line(
      self.step,
      self.total_steps,
      self.means,
      steps_per_second,
      self._batch_size,
    )
    self._log(line)
    due = self.step % self._options.save_summaries_steps == 0
    if due or self.step == self.total_steps:
      rates = self._trainer.learning_rates()
      self._board.scalars(
        self.step,
        {
          **{f"losses/{n}": v for n, v in self._window.take().items()},
          **{f"learning_rate/{n}": v for n, v in rates.items()},
          "steps_per_second": steps_per_second,
        },
      )

  def _fail(self, failure: nonfinite.Failure) -> None:
    """Saves the state before the step, and its batch, and gives up."""
    self.save()
    name = f"nonfinite-step-{failure.step}.npz"
    path = os.path.join(self._folder.directory, name)
    names = nonfinite.save_batch(path, self._batch_at(failure.step))
    raise nonfinite.NonFiniteError(failure.describe(names, path))


class _Window:
  """Means over all steps since the last point of the curves."""

  def __init__(self):
    self._sums: dict[str, float] = {}
    self._steps = 0

  def add(self, means: Mapping[str, float], steps: int) -> None:
    for name, mean in means.items():
      self._sums[name] = self._sums.get(name, 0.0) + mean * steps
    self._steps += steps

  def take(self) -> dict[str, float]:
    """The means so far; starts anew."""
    means = {name: total / self._steps for name, total in self._sums.items()}
    self._sums, self._steps = {}, 0
    return means
