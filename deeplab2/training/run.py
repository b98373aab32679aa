"""An experiment from its options to its metrics, in one of four modes."""

import os
from collections.abc import Callable

import keras
import orbit
import tensorflow as tf

from deeplab2.models import build_meta_architecture
from deeplab2.training import checkpoints, interruptions, strategies
from deeplab2.training import model_dir as model_dir_lib
from deeplab2.training.black_box import BlackBox
from deeplab2.training.board import Board
from deeplab2.training.data import RecordData, bad_record
from deeplab2.training.evaluation_loop import EvaluationLoop
from deeplab2.training.evaluator import Evaluator
from deeplab2.training.initial_weights import load_initial_weights
from deeplab2.training.observers import build_observers
from deeplab2.training.optimizers import build_parameter_groups
from deeplab2.training.tally import Tally
from deeplab2.training.trainer import StepOptions, Trainer
from deeplab2.training.training_loop import RunInterruptedError, TrainingLoop
from deeplab2.training.watchdog import Watchdog

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
    ValueError: the options cannot work on these devices or in this directory,
      or a record is bad.
    NonFiniteError: loss or gradient was not finite.
    RunInterruptedError: by a signal; the state is saved.
  """
  if mode not in MODES:
    raise ValueError(f"mode: expected one of {MODES}; got {mode!r}.")
  strategy = strategy or strategies.build_strategy()
  _check_devices(experiment, mode, strategy)
  if "train" in mode:
    model_dir_lib.claim(model_dir, experiment)
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
    with strategy.scope(), watchdog:
      return _Run(experiment, mode, model_dir, build, data, watchdog).go()

  return _with_readable_errors(go)


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


def _check_devices(experiment, mode: str, strategy) -> None:
  for split in ("train", "eval"):
    if split in mode:
      field = f"{split}_dataset_options"
      batch_size = getattr(experiment, field).batch_size
      strategies.check_batch_size(f"{field}.batch_size", batch_size, strategy)
  compiled = experiment.trainer_options.jit_compile
  if strategies.is_tpu(strategy):
    if not compiled:
      raise ValueError(
        "trainer_options.jit_compile: expected true on a TPU, which has no"
        " host to match masks on; got false."
      )
  elif compiled and strategy.num_replicas_in_sync > 1:
    raise ValueError(
      "trainer_options.jit_compile: expected false on several devices, whose"
      " sums XLA cannot compile here; got true on"
      f" {strategy.num_replicas_in_sync}."
    )


class _Run:
  """An experiment, built; made and used in the scope of a strategy."""

  def __init__(self, experiment, mode, model_dir, build, data, watchdog):
    self._experiment = experiment
    self._mode = mode
    self._model_dir = model_dir
    self._watchdog = watchdog
    log = self._log = watchdog.say
    self._architecture = build(experiment)
    self._data = data(experiment, self._architecture, log)
    self._global_step = orbit.utils.create_global_step()
    self._metrics = {"experiment": experiment.experiment_name}
    self._written: str | None = None
    self._train_board = Board(os.path.join(model_dir, "train"))
    self._boards = [self._train_board]
    if "train" in mode:
      model_dir_lib.describe(model_dir, experiment, self._architecture.dataset)
    if "eval" in mode:
      board = Board(os.path.join(model_dir, "eval"))
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
      self._data.eval(),
      self._global_step,
      batch_size=self._experiment.eval_dataset_options.batch_size,
      truths=self._data.truths(),
      observers=build_observers(
        self._experiment,
        self._model_dir,
        self._architecture.dataset,
        board,
      ),
      use_tf_function=self._experiment.evaluator_options.use_tf_function,
    )

  def _train(self) -> None:
    solver = self._experiment.trainer_options.solver_options
    groups = build_parameter_groups(self._architecture.model, solver)
    folder = self._checkpoint_folder(groups)
    self._data.keep_list(self._model_dir)
    tally = self._start(folder)
    trainer = self._build_trainer(groups)
    self._watchdog.watch(trainer.clock, lambda: trainer.step)
    loop = TrainingLoop(
      trainer,
      folder,
      self._train_board,
      self._experiment,
      black_box=BlackBox(
        self._model_dir,
        self._experiment,
        self._architecture,
        batch_at=lambda step: next(iter(self._data.train(step))),
      ),
      tally=tally,
      counts=self._data.counts,
      log=self._log,
    )
    if self._mode == "train_and_eval":
      self._evaluator.observe(_StopWhenHalted(trainer, loop))
    with interruptions.halting(trainer.halt, self._log) as interruption:
      try:
        self._alternate(loop)
      except RunInterruptedError as error:
        error.signal = interruption.signal
        raise
    loop.save()
    metrics = {"step": loop.step, "training_seconds": loop.seconds}
    if self._experiment.trainer_options.nonfinite_policy == "skip":
      metrics["skipped_steps"] = loop.skipped
    self._add_metrics(metrics | {"train": dict(loop.means)})

  def _checkpoint_folder(self, groups) -> checkpoints.CheckpointFolder:
    state = checkpoints.training_state(
      self._architecture.model, groups, self._global_step
    )
    return checkpoints.CheckpointFolder(
      self._model_dir,
      state,
      keep=self._experiment.trainer_options.num_checkpoints_to_keep,
    )

  def _start(self, folder) -> Tally | None:
    """Goes on from the newest checkpoint, or starts from initial weights.

    Returns:
      What the run has added up so far; None of a new one.
    """
    step = folder.restore_newest(self._log)
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
    return None

  def _build_trainer(self, groups) -> Trainer:
    options = self._experiment.trainer_options
    solver = options.solver_options
    clip = solver.clip_gradient_norm if solver.use_gradient_clipping else None
    return Trainer(
      self._architecture,
      groups,
      self._data.train(int(self._global_step.numpy())),
      self._global_step,
      StepOptions(
        batch_size=self._experiment.train_dataset_options.batch_size,
        seed=options.seed,
        weight_decay=solver.weight_decay,
        clip_norm=clip,
        # A TPU compiles everything, sums included, without being told.
        jit_compile=(
          options.jit_compile
          and not strategies.is_tpu(tf.distribute.get_strategy())
        ),
      ),
    )

  def _alternate(self, loop: TrainingLoop) -> None:
    """Trains to the end, with evaluations between where the mode has them."""
    interval = self._experiment.evaluator_options.eval_interval
    if self._mode == "train":
      loop.run_to(loop.total_steps)
      return
    evaluated = self._evaluate_what_was_missed(loop)
    while loop.step < loop.total_steps or not evaluated:
      target = (loop.step // interval + 1) * interval
      loop.run_to(min(target, loop.total_steps))
      if loop.step == loop.total_steps:
        loop.save()
      self._evaluation.evaluate()
      evaluated = True

  def _evaluate_what_was_missed(self, loop: TrainingLoop) -> bool:
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
    self._evaluation.evaluate()
    return loop.step == loop.total_steps

  def _evaluate_newest(self) -> None:
    prefix = checkpoints.resolve(self._model_dir)
    self._evaluation.evaluate_checkpoint(prefix)

  def _evaluate_continuously(self) -> None:
    self._evaluation.evaluate_continuously(self._model_dir)

  def _add_metrics(self, metrics: dict) -> None:
    """Notes what came out, and writes it into metrics.json."""
    self._metrics |= metrics
    self._written = model_dir_lib.add_metrics(self._model_dir, self._metrics)


class _StopWhenHalted:
  """An observer that ends the run in the middle of an evaluation."""

  def __init__(self, trainer, loop):
    self._trainer = trainer
    self._loop = loop

  def start(self) -> None:
    pass

  def see(self, scored) -> None:
    del scored
    if self._trainer.halted:
      self._loop.stop()

  def finish(self, step) -> None:
    pass
