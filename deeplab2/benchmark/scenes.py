"""Made-up images, truths and predictions for measurements without data."""

import numpy as np
import tensorflow as tf

from deeplab2.input.targets.max_deeplab import max_deeplab_targets
from deeplab2.input.targets.small_instances import SmallInstances
from deeplab2.structures import Batch, ClassLayout, MaskPrediction, Targets

THINGS, STUFF = 15, 8  # of an image, about as many as an image of COCO has
_GRID = (4, 6)  # blocks: one a segment, and one of void
_DEVIATION = 4.0  # of logits of masks, so that some pixels pass any threshold
_SURE = 20.0  # logit of the class of a slot that passes any threshold
_SMALLEST = 33  # pixels; an image that any model takes


def random_images(batch: int, size: int, seed: int = 0) -> tf.Tensor:
  """b h w 3  uint8"""
  shape = (batch, size, size, 3)
  return tf.constant(np.random.default_rng(seed).integers(0, 256, shape, "u1"))


def block_labels(layout: ClassLayout, size: int) -> np.ndarray:
  """A panoptic map of blocks, each another segment.  h w  int32"""
  things = [
    layout.codec.encode(layout.thing_ids[i % len(layout.thing_ids)], i + 1)
    for i in range(THINGS if layout.thing_ids else 0)
  ]
  stuff = [layout.codec.encode(i, 0) for i in layout.stuff_ids[:STUFF]]
  void = layout.codec.encode(layout.ignore_label, 0)
  rows, columns = _GRID
  blocks = np.full(rows * columns, void, np.int32)
  blocks[: len(things) + len(stuff)] = things + stuff
  blocks = blocks.reshape(_GRID)
  places = [np.arange(size) * n // size for n in _GRID]
  return blocks[np.ix_(*places)]


def block_targets(
  layout: ClassLayout, batch: int, size: int, max_things: int, stride: int
) -> Targets:
  """The truth of `block_labels`, the same for each image of a batch."""
  targets = max_deeplab_targets(
    tf.constant(block_labels(layout, size)),
    layout,
    max_things,
    SmallInstances(),
    stride,
  )
  return Targets(*(tf.stack([field] * batch) for field in targets))


def block_batch(architecture, options, batch: int, size: int) -> Batch:
  """What the input pipeline would yield.

  Args:
    architecture: MetaArchitecture.
    options: a DatasetOptions message.
    batch: images.
    size: height and width.
  """
  sizes = tf.fill([batch, 2], size)
  return Batch(
    image=tf.cast(random_images(batch, size), tf.float32),
    targets=block_targets(
      architecture.dataset.layout,
      batch,
      size,
      options.max_thing_id,
      architecture.target_stride,
    ),
    name=tf.strings.as_string(tf.range(batch)),
    valid_size=sizes,
    raw_size=sizes,
  )


def random_prediction(architecture, batch: int, size: int, seed: int = 0):
  """A `MaskPrediction` of the model's types and of shapes for such images.

  Masks are white noise, and as many slots are sure of their class as an image
  has segments. The model is asked on its smallest image: that takes a moment.
  """
  small = architecture.model(random_images(1, _SMALLEST), training=False)
  rng = np.random.default_rng(seed)
  extent = (size - 1) // architecture.target_stride + 1

  def like(example):
    shape = [batch, *example.shape[1:]]
    if len(shape) == 4:
      shape[1:3] = extent, extent
    values = rng.standard_normal(shape, np.float32) * _DEVIATION
    return tf.cast(values, example.dtype)

  prediction = MaskPrediction(
    *(None if example is None else like(example) for example in small)
  )
  classes = _sure_classes(rng, prediction.class_logits.shape)
  return prediction._replace(
    class_logits=tf.cast(classes, prediction.class_logits.dtype),
    pixel_features=tf.math.l2_normalize(prediction.pixel_features, axis=-1),
  )


def _sure_classes(rng, shape):
  """Logits b n c of which `THINGS + STUFF` slots an image name a class."""
  _, slots, classes = shape
  logits = rng.standard_normal(shape, np.float32)
  for image in logits:
    sure = rng.permutation(slots)[: THINGS + STUFF]
    image[sure, rng.integers(0, classes - 1, len(sure))] = _SURE
  return logits
