"""A meta-architecture and data so small that a test can train them.

The model says of each pixel's colour which class it is, and the images have
one colour a class, so it learns within a few dozen steps.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from deeplab2 import structures
from deeplab2.config import config_pb2
from deeplab2.datasets import DatasetDescription
from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.models import MetaArchitecture
from deeplab2.training.evaluator import filled_up
from deeplab2.training.truth import Truth

STRIDE = 4
SIZE = (17, 33)
COLORS = ((127, 127, 127), (250, 0, 0), (0, 250, 0), (0, 0, 250))

DATASET = DatasetDescription(
  name="colors",
  ignore_label=0,
  divisor=256,
  thing_ids=(),
  class_names=("void", "red", "green", "blue"),
  colors=COLORS,
  category_ids=(None, 7, 8, 9),
)


class ColorModel(keras.Model):
  """image -> MaskPrediction with one slot a class."""

  def __init__(self, norm):
    super().__init__(name="color_model")
    self.encoder = keras.layers.Conv2D(
      8, STRIDE + 1, STRIDE, "same", use_bias=False
    )
    self.norm = BatchNorm(norm)
    self.mask_layer = keras.layers.Conv2D(DATASET.num_classes, 1)
    self.class_layer = keras.layers.Dense(3)

  def call(self, image, training=False, auxiliary=True, seed=None):
    del auxiliary, seed
    x = self.encoder(image / 127.5 - 1)
    x = ops.relu(self.norm(x, training=training))
    slots = ops.mean(x, axis=(1, 2))[:, None]
    return structures.MaskPrediction(
      mask_logits=self.mask_layer(x),
      class_logits=self.class_layer(slots),
      pixel_features=x,
      semantic_logits=None,
    )

  def parameter_groups(self):
    encoder = [*self.encoder.trainable_variables]
    known = {id(v) for v in encoder}
    rest = [v for v in self.trainable_variables if id(v) not in known]
    return {"backbone": encoder, "rest": rest}


def loss(prediction, targets, seed=None):
  """Cross entropy of the masks, and of the classes against the first."""
  del seed
  semantic = targets.semantic[:, ::STRIDE, ::STRIDE]
  masks = ops.mean(
    keras.losses.sparse_categorical_crossentropy(
      semantic, ops.cast(prediction.mask_logits, "float32"), from_logits=True
    ),
    axis=(1, 2),
  )
  classes = -ops.log_softmax(
    ops.cast(prediction.class_logits[:, 0], "float32")
  )[:, 0]
  return {
    "mask_loss": masks,
    "class_loss": classes,
    "total_loss": masks + classes,
  }


def postprocess(prediction, size, semantic=True):
  """Each pixel's strongest class, without instances."""
  near = ops.argmax(prediction.mask_logits, axis=-1)
  far = ops.repeat(ops.repeat(near, STRIDE, axis=1), STRIDE, axis=2)
  classes = ops.cast(far[:, : size[0], : size[1]], "int32")
  ones = ops.ones_like(classes, dtype="float32")
  return structures.PanopticPrediction(
    panoptic=classes * DATASET.divisor,
    semantic=classes if semantic else None,
    instance=classes + 1,
    instance_score=ones,
    semantic_score=ones,
  )


def build(experiment) -> MetaArchitecture:
  """As `deeplab2.models.build_meta_architecture`."""
  solver = experiment.trainer_options.solver_options
  model = ColorModel(NormOptions(synchronized=solver.use_sync_batchnorm))
  model(np.zeros((1, *SIZE, 3), np.float32))
  return build_around(model)


def build_around(model, loss=loss) -> MetaArchitecture:
  """The meta-architecture of a model that exists."""
  return MetaArchitecture(
    model=model, dataset=DATASET, loss=loss, postprocess=postprocess
  )


def experiment(**solver) -> config_pb2.ExperimentOptions:
  """Options for short runs: checkpoints every 2 steps, loops of 2."""
  options = config_pb2.ExperimentOptions(experiment_name="colors")
  trainer = options.trainer_options
  trainer.save_checkpoints_steps = 2
  trainer.save_summaries_steps = 2
  trainer.steps_per_loop = 2
  settings = {"training_number_of_steps": 4, "base_learning_rate": 0.01}
  for name, value in (settings | solver).items():
    setattr(trainer.solver_options, name, value)
  options.train_dataset_options.batch_size = 4
  options.eval_dataset_options.batch_size = 3
  return options


def batch(step, batch_size: int) -> structures.Batch:
  """The batch of that number: each image has two colours, one above."""
  rows, height, width = batch_size, *SIZE
  draw = tf.random.stateless_uniform(
    (rows, 2), (5, tf.cast(step, tf.int32)), 1, 4, tf.int32
  )
  upper = tf.range(height)[None, :, None] < height // 2
  semantic = tf.where(upper, draw[:, :1, None], draw[:, 1:, None])
  semantic = semantic + tf.zeros((rows, height, width), tf.int32)
  sizes = tf.tile([[height, width]], [rows, 1])
  return structures.Batch(
    image=tf.gather(tf.constant(COLORS, tf.float32), semantic),
    targets=structures.Targets(
      semantic=semantic,
      semantic_weight=tf.ones((rows, height, width)),
      thing_id=tf.fill((rows, height, width), -1),
      thing_class=tf.fill((rows, 2), -1),
      crowd=tf.zeros((rows, height, width), tf.bool),
      panoptic=semantic * DATASET.divisor,
    ),
    name=tf.strings.as_string(tf.range(rows) + rows * tf.cast(step, tf.int32)),
    valid_size=sizes,
    raw_size=sizes,
  )


def train_batches(options, start_step: int = 0) -> tf.data.Dataset:
  """Endless; the batch depends on the step alone."""
  steps = tf.data.Dataset.range(start_step, 2**40)
  return steps.map(lambda step: batch(step, options.batch_size))


def eval_batches(options, images: int = 7) -> tf.data.Dataset:
  """`images` images in batches, the last of them partial."""
  singles = tf.data.Dataset.range(1000, 1000 + images).map(
    lambda step: tf.nest.map_structure(lambda x: x[0], batch(step, 1))
  )
  return singles.batch(options.batch_size)


def part_of(batch, num_shards: int, shard_index: int):
  """The rows of a batch that fall to one of several hosts."""
  if num_shards == 1:
    return batch
  rows = batch.image.shape[0] // num_shards
  begin = shard_index * rows
  return tf.nest.map_structure(lambda x: x[begin : begin + rows], batch)


class Data:
  """As `deeplab2.training.data.RecordData`."""

  def __init__(self, options, architecture, log=print):
    del architecture, log
    self._options = options

  def train(
    self, start_step: int = 0, num_shards: int = 1, shard_index: int = 0
  ) -> tf.data.Dataset:
    options = self._options.train_dataset_options
    whole = train_batches(options, start_step)
    return whole.map(lambda batch: part_of(batch, num_shards, shard_index))

  def eval(self, num_shards: int = 1, shard_index: int = 0) -> tf.data.Dataset:
    options = self._options.eval_dataset_options
    whole = eval_batches(options)
    if num_shards > 1:
      whole = whole.map(lambda batch: filled_up(batch, options.batch_size))
    return whole.map(lambda batch: part_of(batch, num_shards, shard_index))

  def keep_list(self, model_dir: str) -> None:
    pass

  def counts(self) -> dict[str, float]:
    return {"bad_records": 0.0}

  def truths(self):
    maps = [batch.targets.panoptic.numpy() for batch in self.eval()]
    panoptic = np.concatenate(maps)
    return lambda i: Truth(panoptic[i], np.zeros_like(panoptic[i], bool))
