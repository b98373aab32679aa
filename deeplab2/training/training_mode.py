"""Training as a run has it: from its newest checkpoint, with evaluations."""

import contextlib
import zlib

import tensorflow as tf

from deeplab2.config import format_textproto
from deeplab2.training import checkpoints, interruptions, strategies
from deeplab2.training import model_dir as model_dir_lib
from deeplab2.training.black_box import BlackBox
from deeplab2.training.initial_weights import load_initial_weights
from deeplab2.training.optimizers import build_parameter_groups
from deeplab2.training.overview import Plan, count_records, overview
from deeplab2.training.run_parts import RunParts
from deeplab2.training.tally import Tally
from deeplab2.training.trainer import StepOptions, Trainer
from deeplab2.training.training_loop import RunInterruptedError, TrainingLoop
from deeplab2.training.weight_average import WeightAverage


class TrainingMode:
  """Trains the model of a run to the end."""

  def __init__(self, parts: RunParts, mode: str, evaluation=None):
    """Args:
    parts: of the run.
    mode: its name; hosts have to agree on it.
    evaluation: EvaluationMode, where the mode has one between steps.
    """
    self._parts = parts
    self._mode = mode
    self._evaluation = evaluation
    self._options = parts.experiment.trainer_options
    self._log = parts.log
    self._model = parts.architecture.model
    self._groups = build_parameter_groups(
      self._model, self._options.solver_options
    )
    decay = self._options.ema_decay
    self._average = WeightAverage(self._model, decay) if decay else None

  def run(self) -> None:
    """Trains, and notes the metrics."""
    parts = self._parts
    model_dir_lib.describe(
      parts.output_dir, parts.experiment, parts.architecture.dataset
    )
    folder = self._checkpoint_folder()
    parts.data.keep_list(parts.output_dir)
    tally = self._start(folder)
    trainer = self._build_trainer()
    parts.watchdog.watch(trainer.clock, lambda: trainer.step)
    self._log(overview(parts.experiment, self._plan(trainer.step)))
    loop = self._build_loop(trainer, folder, tally)
    if self._evaluation is not None:
      self._evaluation.observe(_StopWhenHalted(trainer))
    # Several hosts end together: none knows what the others are at.
    alone = parts.hosts.count == 1
    rescue = loop.rescue if alone else lambda: None
    with interruptions.halting(trainer.halt, self._log, rescue) as interruption:
      try:
        self._alternate(loop)
      except RunInterruptedError as error:
        error.signal = interruption.signal
        raise
    loop.save()
    metrics = {"step": loop.step, "training_seconds": loop.seconds}
    if self._options.nonfinite_policy == "skip":
      metrics["skipped_steps"] = loop.skipped
    parts.add_metrics(metrics | {"train": dict(loop.means)})

  def _checkpoint_folder(self) -> checkpoints.CheckpointFolder:
    return checkpoints.CheckpointFolder(
      self._parts.model_dir,
      checkpoints.training_state(
        self._model, self._groups, self._parts.global_step, self._average
      ),
      keep=self._options.num_checkpoints_to_keep,
      read_only=not self._parts.hosts.is_chief,
    )

  def _start(self, folder) -> Tally | None:
    """Goes on from the newest checkpoint, or starts from initial weights.

    Returns:
      What the run has added up so far; None of a new one.
    """
    step = folder.restore_newest(self._log)
    self._check_agreement(step)
    if self._evaluation is not None:
      self._evaluation.board.begin_at((step or 0) + 1)
    if step is not None:
      self._log(f"Going on from {folder.prefix(step)}.")
      return Tally.from_arrays(folder.progress(step))
    origin = load_initial_weights(
      self._model,
      self._parts.experiment.model_options,
      self._parts.architecture.dataset,
    )
    self._log(origin or "Starting from random weights.")
    if self._average is not None:
      self._average.begin()
    return None

  def _check_agreement(self, step: int | None) -> None:
    """Raises a ValueError unless all hosts do the same from the same step."""
    parts = self._parts
    said = f"{step} {self._mode} {format_textproto(parts.experiment)}"
    if not strategies.agreed(
      tf.distribute.get_strategy(), zlib.crc32(said.encode())
    ):
      there = "no checkpoint" if step is None else f"the checkpoint of {step}"
      raise ValueError(
        "TF_CONFIG: expected hosts that were started with the same flags, and"
        f" a --model_dir that all of them see; got a host, of"
        f" {parts.hosts.count}, that has other flags than this one, or finds"
        f" other than {there} in {parts.model_dir}."
      )

  def _build_trainer(self) -> Trainer:
    parts, solver = self._parts, self._options.solver_options
    clip = solver.clip_gradient_norm if solver.use_gradient_clipping else None
    count = self._options.gradient_accumulation_steps
    done = int(parts.global_step.numpy())
    return Trainer(
      parts.architecture,
      self._groups,
      parts.data.train(done * count, *parts.hosts),
      parts.global_step,
      StepOptions(
        batch_size=parts.experiment.train_dataset_options.batch_size,
        micro_batches=count,
        seed=self._options.seed,
        weight_decay=solver.weight_decay,
        clip_norm=clip,
        # A TPU compiles everything, sums included, without being told.
        jit_compile=(
          self._options.jit_compile
          and not strategies.is_tpu(tf.distribute.get_strategy())
        ),
      ),
      self._average,
    )

  def _build_loop(self, trainer, folder, tally) -> TrainingLoop:
    parts = self._parts
    return TrainingLoop(
      trainer,
      folder,
      parts.board("train"),
      parts.experiment,
      black_box=BlackBox(
        parts.output_dir,
        parts.experiment,
        parts.architecture,
        batch_at=self._batch_at,
      ),
      tally=tally,
      counts=parts.data.counts,
      log=self._log,
    )

  def _batch_at(self, step: int):
    """All images of a step, whichever hosts and micro-batches they are in."""
    count = self._options.gradient_accumulation_steps
    batches = list(self._parts.data.train(step * count).take(count))
    if count == 1:
      return batches[0]
    return tf.nest.map_structure(lambda *x: tf.concat(x, axis=0), *batches)

  def _plan(self, first_step: int) -> Plan:
    strategy = tf.distribute.get_strategy()
    return Plan(
      model=self._model,
      outputs=self._parts.outputs,
      replicas=strategy.num_replicas_in_sync,
      device=strategies.kind_of_device(strategy),
      first_step=first_step,
      records=count_records(self._parts.experiment.train_dataset_options),
    )

  def _alternate(self, loop: TrainingLoop) -> None:
    """Trains to the end, with evaluations between where the mode has them."""
    interval = self._parts.experiment.evaluator_options.eval_interval
    if self._evaluation is None:
      loop.run_to(loop.total_steps)
      return
    evaluated = self._evaluate_what_was_missed(loop)
    while loop.step < loop.total_steps or not evaluated:
      target = (loop.step // interval + 1) * interval
      loop.run_to(min(target, loop.total_steps))
      self._evaluate(loop)
      evaluated = True

  def _evaluate(self, loop: TrainingLoop) -> None:
    """Evaluates the averaged weights if there are any; ends a halted run."""
    loop.save()  # whatever becomes of the evaluation
    average = self._average
    try:
      with average.in_the_model() if average else contextlib.nullcontext():
        self._evaluation.evaluate()
    except _HaltedError:
      loop.stop()

  def _evaluate_what_was_missed(self, loop: TrainingLoop) -> bool:
    """Makes up for an evaluation before which the run was interrupted.

    Returns:
      Whether the model has been evaluated as it is.
    """
    interval = self._parts.experiment.evaluator_options.eval_interval
    ended = loop.step == loop.total_steps
    if not loop.step or (loop.step % interval and not ended):
      return False
    found = model_dir_lib.read_metrics(self._parts.model_dir).get("eval", {})
    if found.get("step") != loop.step:
      self._evaluate(loop)
    elif ended:
      self._log("All is done and evaluated; --mode=eval evaluates it again.")
    return True


class _HaltedError(Exception):
  """The trainer was halted in the middle of an evaluation."""


class _StopWhenHalted:
  """An observer that ends an evaluation as soon as the trainer is halted."""

  def __init__(self, trainer):
    self._trainer = trainer

  def start(self) -> None:
    pass

  def see(self, scored) -> None:
    del scored
    if self._trainer.halted:
      raise _HaltedError

  def finish(self, step) -> None:
    pass
