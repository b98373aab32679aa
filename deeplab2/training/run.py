"""An experiment from its options to its metrics, in one of four modes."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator

import keras

from deeplab2 import backend
from deeplab2.models import build_meta_architecture
from deeplab2.training import (
  checkpoints,
  device_checks,
  interruptions,
  strategies,
)
from deeplab2.training import model_dir as model_dir_lib
from deeplab2.training.data import RecordData, readable_errors
from deeplab2.training.evaluation_mode import EvaluationMode
from deeplab2.training.run_lock import run_lock
from deeplab2.training.run_parts import RunParts
from deeplab2.training.training_mode import TrainingMode
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
  if mode == "eval":
    checkpoints.resolve(model_dir)  # complain before the model is built
  watchdog = Watchdog(
    log,
    patterns=_patterns(experiment),
    # Waiting for checkpoints of another process is no reason to speak.
    patience=float("inf") if mode == "continuous_eval" else _PATIENCE,
  )
  with (
    _alone(mode, model_dir, hosts, log),
    strategy.scope(),
    watchdog,
    _output_dir(model_dir, hosts) as output_dir,
    readable_errors(),
  ):
    if "train" in mode:
      model_dir_lib.claim(model_dir, experiment, read_only=not hosts.is_chief)
    else:
      model_dir_lib.check_free(model_dir)
    keras.utils.set_random_seed(experiment.trainer_options.seed)
    parts = RunParts(experiment, model_dir, output_dir, watchdog, build, data)
    _go(mode, parts)
    return parts.finish()


def _go(mode: str, parts: RunParts) -> None:
  """Does what the mode says."""
  evaluation = EvaluationMode(parts) if "eval" in mode else None
  if "train" in mode:
    TrainingMode(parts, mode, evaluation).run()
    return
  with interruptions.heard():
    if mode == "eval":
      evaluation.evaluate_newest()
    else:
      evaluation.evaluate_continuously()


@contextlib.contextmanager
def _alone(mode: str, model_dir: str, hosts, log) -> Iterator[None]:
  """Within, no other process does the same there; the chief sees to it."""
  with contextlib.ExitStack() as locks:
    for job in ("train", "eval"):
      if job in mode and hosts.is_chief:
        locks.enter_context(run_lock(model_dir, job, log))
    yield


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
