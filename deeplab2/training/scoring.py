"""Panoptic quality of a checkpoint, without a training run around it."""

from collections.abc import Callable, Iterable
from typing import Any

import orbit
import tensorflow as tf

from deeplab2.models import build_meta_architecture
from deeplab2.training import checkpoints, strategies
from deeplab2.training.data import RecordData, readable_errors
from deeplab2.training.evaluator import Evaluation, Evaluator


def score_checkpoint(
  experiment,
  path: str,
  strategy=None,
  *,
  build: Callable = build_meta_architecture,
  data: Callable = RecordData,
  observers: Callable[[Any], Iterable] = lambda dataset: (),
  weights: str | None = None,
) -> Evaluation:
  """Evaluates a checkpoint on `eval_dataset_options`.

  Args:
    experiment: checked ExperimentOptions.
    path: as `checkpoints.load_checkpoint` takes it.
    strategy: of `strategies.build_strategy`; one device unless given.
    build: experiment -> MetaArchitecture.
    data: (experiment, architecture) -> what RecordData is.
    observers: dataset -> those who are shown every image.
    weights: as `checkpoints.load_checkpoint` takes them.

  Raises:
    ValueError: the checkpoint does not fit, the images have no labels, or more
      records are bad than may be.
  """
  options = experiment.eval_dataset_options
  strategy = strategy or strategies.build_strategy()
  strategies.check_batch_size(
    "eval_dataset_options.batch_size", options.batch_size, strategy
  )
  with strategy.scope():
    architecture = build(experiment)
    checkpoints.load_checkpoint(architecture.model, path, weights=weights)
    source = data(experiment, architecture)
    truths = source.truths()
    if truths is None:
      raise ValueError(
        "eval_dataset_options.decode_groundtruth_label: expected true, scores "
        "need labels; got false."
      )
    evaluator = Evaluator(
      architecture,
      source.eval(),
      orbit.utils.create_global_step(),
      batch_size=options.batch_size,
      truths=truths,
      observers=observers(architecture.dataset),
      use_tf_function=experiment.evaluator_options.use_tf_function,
    )
    steps = experiment.evaluator_options.eval_steps
    with readable_errors():
      return evaluator.evaluate(tf.constant(steps))
