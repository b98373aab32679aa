"""What is measured: each part of the work, ready to be called.

A part is a function of an architecture and a job; it returns a `Subject`, whose
call returns when its work is done and its results are on the host.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from keras import ops

from deeplab2.backend import backend, compiled, differentiated
from deeplab2.benchmark import scenes
from deeplab2.benchmark.jobs import XLA, Job
from deeplab2.input.pipeline import train_batches
from deeplab2.layers.settled import settled_variables
from deeplab2.losses import matching
from deeplab2.metrics.panoptic_quality import PanopticQuality
from deeplab2.structures import Targets


@dataclasses.dataclass(frozen=True)
class Subject:
  """Something to time, and how many images one call deals with."""

  call: Callable[[], object]
  images: int


def network(architecture, experiment, job: Job) -> Subject:
  """Image to masks and classes, as prediction needs them."""
  del experiment
  model = architecture.model

  def predict(image):
    with settled_variables():
      return model(image, training=False, auxiliary=False)

  images = _on_backend(scenes.random_images(job.batch, job.size))
  function = compiled(predict, model, jit_compile=job.mode == XLA)
  return Subject(
    lambda: ops.convert_to_numpy(function(images).class_logits), job.batch
  )


def prediction(architecture, experiment, job: Job) -> Subject:
  """Image to panoptic map."""
  del experiment
  size = (job.size, job.size)

  def predict(image):
    with settled_variables():
      found = architecture.model(image, training=False, auxiliary=False)
    return architecture.postprocess(found, size, semantic=False).panoptic

  images = _on_backend(scenes.random_images(job.batch, job.size))
  function = compiled(predict, architecture.model, jit_compile=job.mode == XLA)
  return Subject(lambda: ops.convert_to_numpy(function(images)), job.batch)


def postprocess(architecture, experiment, job: Job) -> Subject:
  """Masks and classes to all maps, at the size of the image."""
  del experiment
  size = (job.size, job.size)
  found = scenes.random_prediction(architecture, job.batch, job.size)
  found = found._replace(semantic_logits=None)
  function = _graph(lambda found: architecture.postprocess(found, size), job)
  return Subject(lambda: function(found).panoptic.numpy(), job.batch)


def train_step(architecture, experiment, job: Job) -> Subject:
  """A step of training, update included, on a batch that is there already."""
  import orbit  # of the extra "train", which the other parts do without

  from deeplab2.training.optimizers import build_parameter_groups
  from deeplab2.training.trainer import StepOptions, Trainer

  options = experiment.trainer_options
  solver = options.solver_options
  batch = scenes.block_batch(
    architecture, experiment.train_dataset_options, job.batch, job.size
  )
  trainer = Trainer(
    architecture,
    build_parameter_groups(architecture.model, solver),
    tf.data.Dataset.from_tensors(batch).repeat(),
    orbit.utils.create_global_step(),
    StepOptions(
      batch_size=job.batch,
      seed=options.seed,
      weight_decay=solver.weight_decay,
      clip_norm=solver.clip_gradient_norm
      if solver.use_gradient_clipping
      else None,
      jit_compile=options.jit_compile,
    ),
  )

  def step():
    trainer.train(tf.constant(1))
    if trainer.failure is not None:
      raise FloatingPointError(trainer.failure.describe([]))

  return Subject(step, job.batch)


def value_and_gradient(architecture, experiment, job: Job) -> Subject:
  """A step of training but for the update, on any backend."""
  model = architecture.model
  batch = scenes.block_batch(
    architecture, experiment.train_dataset_options, job.batch, job.size
  )
  image = _on_backend(batch.image)
  targets = [_on_backend(values) for values in batch.targets]

  def total(image, *targets):
    prediction = model(image, training=True)
    terms = architecture.loss(prediction, Targets(*targets), seed=(0, 0))
    return ops.mean(terms["total_loss"])

  step = differentiated(total, model)
  # The first variable's gradient is the last to be there.
  return Subject(
    lambda: ops.convert_to_numpy(step(image, *targets)[1][0]), job.batch
  )


def loss(architecture, experiment, job: Job) -> Subject:
  """The loss of a prediction, matching included, and its gradient."""
  found = scenes.random_prediction(architecture, job.batch, job.size)
  targets = scenes.block_batch(
    architecture, experiment.train_dataset_options, job.batch, job.size
  ).targets

  def learn(found):
    with tf.GradientTape() as tape:
      tape.watch(found)
      terms = architecture.loss(found, targets, seed=(0, 0))
      total = tf.reduce_mean(terms["total_loss"])
    return total, tape.gradient(total, found)

  function = _graph(learn, job)
  return Subject(lambda: function(found)[0].numpy(), job.batch)


def match(architecture, experiment, job: Job) -> Subject:
  """The matching alone, of random similarities."""
  del architecture
  masks = scenes.THINGS + scenes.STUFF
  slots = experiment.model_options.backbone.num_mask_slots
  similarity = np.random.default_rng(0).random((job.batch, masks, slots), "f4")
  present = tf.ones((job.batch, masks), tf.bool)
  solver = "compiled" if job.mode == XLA else "host"
  function = _graph(lambda s: matching.match(s, present, solver), job)
  similarity = tf.constant(similarity)
  return Subject(lambda: function(similarity).numpy(), job.batch)


def quality(architecture, experiment, job: Job) -> Subject:
  """Panoptic quality of maps in memory, of many segments and few mistakes."""
  del experiment
  layout = architecture.dataset.layout
  truth = scenes.block_labels(layout, job.size)
  found = np.roll(truth, job.size // 32, axis=(0, 1))

  def score():
    metric = PanopticQuality(
      architecture.dataset.num_classes,
      layout.thing_ids,
      layout.ignore_label,
      layout.codec.divisor,
    )
    for _ in range(job.batch):
      metric.update(truth, found)
    return metric.result()

  return Subject(score, job.batch)


def records(architecture, experiment, job: Job) -> Subject:
  """The next batch of the input pipeline."""
  batches = iter(
    train_batches(
      experiment.train_dataset_options,
      architecture.dataset,
      experiment.trainer_options.seed,
      target_stride=architecture.target_stride,
    )
  )
  return Subject(lambda: next(batches).image.shape, job.batch)


SUBJECTS = {
  "network": network,
  "prediction": prediction,
  "postprocess": postprocess,
  "train_step": train_step,
  "loss": loss,
  "matching": match,
  "quality": quality,
  "input": records,
}


# What other backends than TensorFlow run.
PORTABLE = {
  "network": network,
  "prediction": prediction,
  "train_step": value_and_gradient,
}


def build_subject(architecture, experiment, job: Job) -> Subject:
  """The subject that a job names, in the strategy of the architecture.

  Raises:
    ValueError: the backend does not run it.
  """
  subjects = SUBJECTS if backend() == "tensorflow" else PORTABLE
  if job.part not in subjects:
    raise ValueError(
      f"parts: expected some of {', '.join(subjects)} under {backend()}; got "
      f"{job.part!r}."
    )
  return subjects[job.part](architecture, experiment, job)


def _on_backend(tensor):
  """A tensor of TensorFlow as one of the backend."""
  return ops.convert_to_tensor(tensor.numpy())


def _graph(function, job: Job):
  return tf.function(
    function,
    jit_compile=job.mode == XLA,
    autograph=False,
    reduce_retracing=True,
  )
