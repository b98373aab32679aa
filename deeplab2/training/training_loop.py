"""The outer loop of training: speak, save, stop.

`orbit.Controller` has such a loop too. It cannot stop a run in the middle of
its inner loop, pass over a broken checkpoint or hold its tongue about hundreds
of metrics, so this one calls orbit's trainer itself.
"""

import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from deeplab2.config.scaling import images_a_step
from deeplab2.training import files, nonfinite, progress
from deeplab2.training.memory import memory_in_use
from deeplab2.training.tally import Tally
from deeplab2.training.totals import Totals


class RunInterruptedError(Exception):
  """The run was asked to end, and did so after it had saved its state.

  Attributes:
    signal: number of the one that asked, if it was one.
  """

  signal: int | None = None


class TrainingLoop:
  """Takes a trainer's steps, in runs of `steps_per_loop`."""

  def __init__(
    self,
    trainer,
    folder,
    board,
    experiment,
    *,
    black_box=None,
    tally: Tally | None = None,
    counts: Callable[[], Mapping[str, float]] = dict,
    log: Callable = print,
  ):
    """Args:
    trainer: deeplab2.training.trainer.Trainer.
    folder: CheckpointFolder of the run.
    board: Board for the curves.
    experiment: ExperimentOptions.
    black_box: BlackBox for steps that are not finite.
    tally: of the checkpoint that the run goes on from; None of a new run.
    counts: what the input pipeline has counted so far, by name.
    log: takes each line for people.
    """
    self._trainer = trainer
    self._folder = folder
    self._board = board
    self._options = experiment.trainer_options
    self._images_a_step = images_a_step(experiment)
    self._black_box = black_box
    self._counts = counts
    self._log = log
    self._compiled = False
    self._stepping = False
    self._tally = tally or Tally()
    trainer.begin_totals(self._tally.window)
    self._saved = self.step if tally is not None else None
    # A point that could not be written is still in the sums, and due again.
    missed = self._tally.window.steps > 0 and self._is_due()
    self._noted = None if missed else self.step
    self._speed = _Speed()
    board.begin_at(self.step if missed else self.step + 1)

  @property
  def step(self) -> int:
    """Steps done."""
    return self._trainer.step

  @property
  def total_steps(self) -> int:
    """Steps to do in all."""
    return self._options.solver_options.training_number_of_steps

  @property
  def seconds(self) -> float:
    """Spent in steps by all sessions of the run, compiling included."""
    return self._tally.seconds

  @property
  def means(self) -> Mapping[str, float]:
    """Of the terms, at the last point of the curves."""
    return self._tally.last

  @property
  def skipped(self) -> int:
    """Steps that were left out because they were not finite."""
    return self._trainer.skipped

  def run_to(self, target: int) -> None:
    """Trains until `target` steps are done.

    Raises:
      RunInterruptedError: the trainer was halted from outside. The state is
        saved.
      NonFiniteError: a step was not finite, or too many were; the state before
        it is saved.
      files.NotWrittenError: a file could not be written.
    """
    self._note_if_due()
    while self.step < target:
      self._take(min(target, self._next_stop()) - self.step)
      if self._trainer.failure is not None:
        self._pass_over(self._trainer.failure)
      self._note_if_due()
      if self.step % self._options.save_checkpoints_steps == 0:
        self.save()
      if self._trainer.halted:
        self.stop()

  def save(self) -> None:
    """Saves the state, unless that was done at this step."""
    if self._saved != self.step:
      self._tally.window = self._trainer.totals
      self._folder.save(self.step, self._tally.arrays())
      self._saved = self.step

  def stop(self) -> None:
    """Saves the state and ends the run."""
    self.save()
    raise RunInterruptedError(self._parting_words())

  def rescue(self) -> str | None:
    """Sees to it, from another thread, that all steps done are saved.

    For a run that does not come to an end: its batch does not come, or it is
    years away from its first step.

    Returns:
      What to say when the process is ended now; None where it should not be,
      while a step is computed or a file written.
    """
    if not self._stepping:
      return self._parting_words() if self._saved == self.step else None
    if not self._compiled:
      return (
        "Interrupted before the first step of this start, so there is nothing"
        " to save. The same command starts again."
      )
    if not self._trainer.waits_between_steps:
      return None
    given = self._trainer.clock.given
    self._tally.window = self._trainer.totals
    saved = self._saved == self.step or self._folder.save(
      self.step,
      self._tally.arrays(),
      still=lambda: self._trainer.clock.given == given,
    )
    return self._parting_words() if saved else None

  def _parting_words(self) -> str:
    return (
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
    before, waited = self.step, self._trainer.clock.seconds
    begun = time.monotonic()
    if not self._compiled:
      self._log("Compiling the training step, which may take a minute ...")
    self._stepping = True
    try:
      means = self._trainer.train(tf.constant(steps))
    except tf.errors.OpError as error:
      if "IteratorGetNext" in str(error):
        self._keep_what_there_is()
      raise
    finally:
      self._stepping = False
    seconds = time.monotonic() - begun
    self._tally.seconds += seconds
    took = _Speed(
      self.step - before, seconds, self._trainer.clock.seconds - waited
    )
    if not took.steps:  # halted or failed before the end of the first
      return
    if not self._compiled:
      self._compiled = True
      self._log(
        f"The first step took {progress.duration(seconds)}"
        f" ({progress.duration(took.waited)} of it waiting for data)."
      )
    else:
      self._speed = self._speed.plus(took)
      self._report(means, took)

  def _keep_what_there_is(self) -> None:
    """Saves the state when the input fails, as that of the last whole step."""
    self._trainer.undo()
    if self.step:  # what a run begins with can be had again
      self.save()
      self._log(
        f"The batch of step {self.step} could not be made. What was learned"
        f" until then is in {self._folder.prefix(self.step)}."
      )

  def _report(self, means: Mapping[str, float], took: "_Speed") -> None:
    self._log(
      progress.training_line(
        self.step,
        self.total_steps,
        means,
        took.steps / took.seconds,
        self._images_a_step,
        input_share=took.share,
        memory=memory_in_use(),
      )
    )

  def _note_if_due(self) -> None:
    """Adds a point to the curves, where one is due and not there yet."""
    if self._noted == self.step or not self._is_due():
      return
    means = self._trainer.totals.means()
    try:
      self._board.scalars(self.step, self._point(means))
    except files.NotWrittenError:
      self.save()  # where that fails too, it says where the run would go on
      raise
    self._noted = self.step
    self._trainer.begin_totals(Totals(0, {}))
    self._tally.last = means or self._tally.last
    self._speed = _Speed()

  def _is_due(self) -> bool:
    """Whether the curves get a point at this step."""
    interval = self._options.save_summaries_steps
    return self.step % interval == 0 or self.step == self.total_steps

  def _point(self, means: Mapping[str, float]) -> dict[str, float]:
    rates = self._trainer.learning_rates()
    point = {
      **{f"losses/{n}": v for n, v in means.items()},
      **{f"learning_rate/{n}": v for n, v in rates.items()},
      **{f"memory_bytes/{n}": v for n, v in memory_in_use().items()},
      **{f"input/{n}": v for n, v in self._counts().items()},
    }
    if self._speed.steps:
      point["steps_per_second"] = self._speed.steps / self._speed.seconds
      point["input/bound"] = self._speed.share
    if self._options.nonfinite_policy == "skip":
      point["skipped_steps"] = self.skipped
    return point

  def _pass_over(self, failure: nonfinite.Failure) -> None:
    """Leaves the failed step out if the policy is that, or gives up."""
    if self._options.nonfinite_policy != "skip":
      self.save()
      report = self._black_box.record(failure)
      raise nonfinite.NonFiniteError(f"{report}\n{_ADVICE}")
    limit = self._options.max_skipped_steps
    if self.skipped >= limit:
      self.save()
      report = self._black_box.record(failure)
      raise nonfinite.NonFiniteError(
        f"{report}\ntrainer_options.max_skipped_steps: {limit} steps were left"
        " out already."
      )
    report = self._black_box.record(failure, always=False)
    self._trainer.skip()
    self._log(f"{report}\n  left out, {self.skipped} of at most {limit}")


_ADVICE = (
  "The run stopped. Started again, it comes to the same step; with --set"
  " trainer_options.nonfinite_policy=skip it leaves the batch out."
)


class _Speed:
  """Steps, the time they took, and how much of it was waiting for data."""

  def __init__(self, steps: int = 0, seconds: float = 0.0, waited: float = 0.0):
    self.steps = steps
    self.seconds = seconds
    self.waited = waited

  def plus(self, other: "_Speed") -> "_Speed":
    return _Speed(
      self.steps + other.steps,
      self.seconds + other.seconds,
      self.waited + other.waited,
    )

  @property
  def share(self) -> float:
    """Of the time, that went by waiting."""
    return min(1.0, self.waited / self.seconds)
