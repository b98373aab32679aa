"""An experiment from its options to its metrics, in one of four modes."""

import contextlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator

import keras
import orbit
import tensorflow as tf

from deeplab2 import backend
from deeplab2.config import format_textproto
from deeplab2.models import build_meta_architecture
from deeplab2.training import (
  checkpoints,
  device_checks,
  interruptions,
  strategies,
)
from deeplab2.training import model_dir as model_dir_lib
from deeplab2.training.black_box import BlackBox
from deeplab2.training.board import Board
from deeplab2.training.data import RecordData, bad_record
from deeplab2.training.evaluation_loop import EvaluationLoop
from deeplab2.training.evaluator import Evaluator
from deeplab2.training.initial_weights import load_initial_weights
from deeplab2.training.layer_probe import sizing_outputs
from deeplab2.training.observers import build_observers
from deeplab2.training.optimizers import build_parameter_groups
from deeplab2.training.overview import Plan, count_records, overview
from deeplab2.training.tally import Tally
from deeplab2.training.trainer import StepOptions, Trainer
from deeplab2.training.training_loop import RunInterruptedError, TrainingLoop
from deeplab2.training.watchdog import Watchdog
from deeplab2.training.weight_average import WeightAverage

_PATIENCE = 20.0  # seconds of silence
MODES = ("train", "eval", "train_and_eval", "continuous_eval")


def run_experiment(
  experiment,
  mode: str,
  model_dir: str,
  strategy=None,
  *,
  build: Callable = build_meta_architecture,
  data: Callable = RecordData,
  log: Callable = print,
) -> dict:
  """Trains, evaluates, or both.

  Args:
    experiment: checked ExperimentOptions, as `load_experiment` gives them.
    mode: one of MODES.
    model_dir: holds checkpoints and all else that comes of the run.
    strategy: of `build_strategy`; one device unless given.
    build: experiment -> MetaArchitecture.
    data: (experiment, architecture, log) -> what RecordData is.
    log: takes each line for people.

  Returns:
    What it wrote to metrics.json.

  Raises:
    ValueError: the options cannot work on these devices, under this backend of
      Keras or in this directory, or a record is bad.
    NonFiniteError: loss or gradient was not finite.
    RunInterruptedError: by a signal; the state is saved.
  """
  if mode not in MODES:
    raise ValueError(f"mode: expected one of {MODES}; got {mode!r}.")
  backend.require_tensorflow("training and its evaluation")
  strategy = strategy or strategies.build_strategy()
  device_checks.check_devices(experiment, mode, strategy)
  hosts = strategies.hosts_of(strategy)
  if "train" in mode:
    model_dir_lib.claim(model_dir, experiment, read_only=not hosts.is_chief)
  if mode == "eval":
    checkpoints.resolve(model_dir)  # complain before the model is built
  keras.utils.set_random_seed(experiment.trainer_options.seed)
  watchdog = Watchdog(
    log,
    patterns=_patterns(experiment),
    # Waiting for checkpoints of another process is no reason to speak.
    patience=float("inf") if mode == "continuous_eval" else _PATIENCE,
  )

  def go():
    with (
      strategy.scope(),
      watchdog,
      _output_dir(model_dir, hosts) as output_dir,
    ):
      return _Run(
        experiment, mode, model_dir, output_dir, build, data, watchdog
      ).go()

  return _with_readable_errors(go)


@contextlib.contextmanager
def _output_dir(model_dir: str, hosts) -> Iterator[str]:
  """Where a host writes: the chief in `model_dir`, the others for nobody."""
  if hosts.is_chief:
    yield model_dir
    return
  with tempfile.TemporaryDirectory(prefix="deeplab2-host-") as folder:
    yield folder


def _patterns(experiment) -> list[str]:
  """The globs of all records."""
  return [
    *experiment.train_dataset_options.file_pattern,
    *experiment.eval_dataset_options.file_pattern,
  ]


def _with_readable_errors(go: Callable):
  """Calls `go`; of a bad record, says what the reader said and no more."""
  try:
    return go()
  except tf.errors.InvalidArgumentError as error:
    said = bad_record(error)
    if said is None:
      raise
    raise ValueError(said) from error


class _Run:
  """An experiment, built; made and used in the scope of a strategy."""

  def __init__(
    self, experiment, mode, model_dir, output_dir, build, data, watchdog
  ):
    self._experiment = experiment
    self._mode = mode
    self._model_dir = model_dir
    self._output_dir = output_dir  # differs on hosts that are not the chief
    self._hosts = strategies.hosts_of(tf.distribute.get_strategy())
    self._watchdog = watchdog
    log = self._log = watchdog.say
    with sizing_outputs() as self._outputs:
      self._architecture = build(experiment)
    self._data = data(experiment, self._architecture, log)
    self._global_step = orbit.utils.create_global_step()
    self._metrics = {"experiment": experiment.experiment_name}
    self._written: str | None = None
    self._train_board = Board(os.path.join(output_dir, "train"))
    self._boards = [self._train_board]
    if "train" in mode:
      model_dir_lib.describe(output_dir, experiment, self._architecture.dataset)
    if "eval" in mode:
      board = Board(os.path.join(output_dir, "eval"))
      self._boards.append(board)
      self._evaluator = self._build_evaluator(board)
      self._evaluation = EvaluationLoop(
        self._evaluator,
        self._architecture,
        self._global_step,
        board,
        experiment,
        self._add_metrics,
        log,
      )

  def go(self) -> dict:
    """Does what the mode says; returns the metrics, which are written too."""
    actions = {
      "train": self._train,
      "train_and_eval": self._train,
      "eval": self._evaluate_newest,
      "continuous_eval": self._evaluate_continuously,
    }
    actions[self._mode]()
    if self._written:
      self._log(f"Metrics: {self._written}")
    return self._metrics

  def _build_evaluator(self, board) -> Evaluator:
    return Evaluator(
      self._architecture,
      self._data.eval(*self._hosts),
      self._global_step,
      batch_size=self._experiment.eval_dataset_options.batch_size,
      truths=self._data.truths(),
      observers=build_observers(
        self._experiment,
        self._output_dir,
        self._architecture.dataset,
        board,
      )
      if self._hosts.is_chief
      else [],
      use_tf_function=self._experiment.evaluator_options.use_tf_function,
    )

  def _train(self) -> None:
    solver = self._experiment.trainer_options.solver_options
    groups = build_parameter_groups(self._architecture.model, solver)
    average = self._build_average()
    folder = self._checkpoint_folder(groups, average)
    self._data.keep_list(self._output_dir)
    tally = self._start(folder, average)
    trainer = self._build_trainer(groups, average)
    self._watchdog.watch(trainer.clock, lambda: trainer.step)
    self._log(overview(self._experiment, self._plan(trainer.step)))
    loop = TrainingLoop(
      trainer,
      folder,
      self._train_board,
      self._experiment,
      black_box=BlackBox(
        self._output_dir,
        self._experiment,
        self._architecture,
        batch_at=self._batch_at,
      ),
      tally=tally,
      counts=self._data.counts,
      log=self._log,
    )
    if self._mode == "train_and_eval":
      self._evaluator.observe(_StopWhenHalted(trainer))
    with interruptions.halting(trainer.halt, self._log) as interruption:
      try:
        self._alternate(loop, average)
      except RunInterruptedError as error:
        error.signal = interruption.signal
        raise
    loop.save()
    metrics = {"step": loop.step, "training_seconds": loop.seconds}
    if self._experiment.trainer_options.nonfinite_policy == "skip":
      metrics["skipped_steps"] = loop.skipped
    self._add_metrics(metrics | {"train": dict(loop.means)})

  def _build_average(self) -> WeightAverage | None:
    decay = self._experiment.trainer_options.ema_decay
    return WeightAverage(self._architecture.model, decay) if decay else None

  def _batch_at(self, step: int):
    """All images of a step, whichever hosts and micro-batches they are in."""
    count = self._experiment.trainer_options.gradient_accumulation_steps
    batches = list(self._data.train(step * count).take(count))
    if count == 1:
      return batches[0]
    return tf.nest.map_structure(lambda *x: tf.concat(x, axis=0), *batches)

  def _plan(self, first_step: int) -> Plan:
    strategy = tf.distribute.get_strategy()
    return Plan(
      model=self._architecture.model,
      outputs=self._outputs,
      replicas=strategy.num_replicas_in_sync,
      device=strategies.kind_of_device(strategy),
      first_step=first_step,
      records=count_records(self._experiment.train_dataset_options),
    )

  def _checkpoint_folder(self, groups, average) -> checkpoints.CheckpointFolder:
    state = checkpoints.training_state(
      self._architecture.model, groups, self._global_step, average
    )
    return checkpoints.CheckpointFolder(
      self._model_dir,
      state,
      keep=self._experiment.trainer_options.num_checkpoints_to_keep,
      read_only=not self._hosts.is_chief,
    )

  def _start(self, folder, average) -> Tally | None:
    """Goes on from the newest checkpoint, or starts from initial weights.

    Returns:
      What the run has added up so far; None of a new one.
    """
    step = folder.restore_newest(self._log)
    self._check_agreement(step)
    for board in self._boards:
      board.begin_at((step or 0) + 1)
    if step is not None:
      self._log(f"Going on from {folder.prefix(step)}.")
      return Tally.from_arrays(folder.progress(step))
    origin = load_initial_weights(
      self._architecture.model,
      self._experiment.model_options,
      self._architecture.dataset,
    )
    self._log(origin or "Starting from random weights.")
    if average is not None:
      average.begin()
    return None

  def _check_agreement(self, step: int | None) -> None:
    """Raises a ValueError unless all hosts do the same from the same step."""
    said = f"{step} {self._mode} {format_textproto(self._experiment)}"
    if not strategies.agreed(
      tf.distribute.get_strategy(), zlib.crc32(said.encode())
    ):
      there = "no checkpoint" if step is None else f"the checkpoint of {step}"
      raise ValueError(
        "TF_CONFIG: expected hosts that were started with the same flags, and"
        f" a --model_dir that all of them see; got a host, of {self._hosts[0]},"
        f" that has other flags than this one, or finds other than {there} in"
        f" {self._model_dir}."
      )

  def _build_trainer(self, groups, average) -> Trainer:
    options = self._experiment.trainer_options
    solver = options.solver_options
    clip = solver.clip_gradient_norm if solver.use_gradient_clipping else None
    count = options.gradient_accumulation_steps
    done = int(self._global_step.numpy())
    return Trainer(
      self._architecture,
      groups,
      self._data.train(done * count, *self._hosts),
      self._global_step,
      StepOptions(
        batch_size=self._experiment.train_dataset_options.batch_size,
        micro_batches=count,
        seed=options.seed,
        weight_decay=solver.weight_decay,
        clip_norm=clip,
        # A TPU compiles everything, sums included, without being told.
        jit_compile=(
          options.jit_compile
          and not strategies.is_tpu(tf.distribute.get_strategy())
        ),
      ),
      average,
    )

  def _alternate(self, loop: TrainingLoop, average) -> None:
    """Trains to the end, with evaluations between where the mode has them."""
    interval = self._experiment.evaluator_options.eval_interval
    if self._mode == "train":
      loop.run_to(loop.total_steps)
      return
    evaluated = self._evaluate_what_was_missed(loop, average)
    while loop.step < loop.total_steps or not evaluated:
      target = (loop.step // interval + 1) * interval
      loop.run_to(min(target, loop.total_steps))
      if loop.step == loop.total_steps:
        loop.save()
      self._evaluate(loop, average)
      evaluated = True

  def _evaluate(self, loop: TrainingLoop, average) -> None:
    """Evaluates the averaged weights if there are any; ends a halted run."""
    try:
      with average.in_the_model() if average else contextlib.nullcontext():
        self._evaluation.evaluate()
    except _HaltedError:
      loop.stop()  # and save, now that the weights are in their place

  def _evaluate_what_was_missed(self, loop: TrainingLoop, average) -> bool:
    """Makes up for an evaluation before which the run was interrupted.

    Returns:
      Whether it was that of the last step.
    """
    interval = self._experiment.evaluator_options.eval_interval
    if not loop.step or loop.step % interval:
      return False
    found = model_dir_lib.read_metrics(self._model_dir).get("eval", {})
    if found.get("step") == loop.step:
      return False
    self._evaluate(loop, average)
    return loop.step == loop.total_steps

  def _evaluate_newest(self) -> None:
    prefix = checkpoints.resolve(self._model_dir)
    self._evaluation.evaluate_checkpoint(prefix)

  def _evaluate_continuously(self) -> None:
    self._evaluation.evaluate_continuously(self._model_dir)

  def _add_metrics(self, metrics: dict) -> None:
    """Notes what came out, and writes it into metrics.json."""
    self._metrics |= metrics
    self._written = model_dir_lib.add_metrics(self._output_dir, self._metrics)


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
