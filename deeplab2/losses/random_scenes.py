"""Random ground truth and predictions for the tests of the losses.

Sizes are distinct primes, so that no exchanged axis goes unnoticed.
"""

import numpy as np
import tensorflow as tf

from deeplab2 import structures

LAYOUT = structures.ClassLayout(
  thing_ids=(2, 5, 7), stuff_ids=(1, 3), ignore_label=0, divisor=100
)
NUM_CLASSES = 8  # dataset ids 0..7, of which 4 and 6 are unused
BATCH, HEIGHT, WIDTH = 2, 11, 13
SLOTS, MAX_THINGS, CHANNELS = 17, 7, 5


def random_targets(
  seed=0,
  *,
  things=4,
  stuff=True,
  crowd=True,
  max_things=MAX_THINGS,
  size=(HEIGHT, WIDTH),
  batch=BATCH,
):
  """Two stripes of stuff, a corner of void, one of crowd, boxes of things.

  Without stuff, what no thing covers is void.
  """
  images = [
    _random_image(np.random.default_rng((seed, i)), things, stuff, crowd, size)
    for i in range(batch)
  ]
  semantic, thing_id, is_crowd = map(np.stack, zip(*images, strict=True))
  thing_class = np.full((batch, max_things), -1, np.int32)
  for image in range(batch):
    for thing in np.unique(thing_id[image][thing_id[image] >= 0]):
      pixels = thing_id[image] == thing
      thing_class[image, thing] = semantic[image][pixels][0]
  weight = np.random.default_rng(seed).uniform(0.5, 3.0, semantic.shape)
  return structures.Targets(
    semantic=semantic,
    semantic_weight=weight.astype(np.float32),
    thing_id=thing_id,
    thing_class=thing_class,
    crowd=is_crowd,
    panoptic=semantic * LAYOUT.divisor + thing_id + 1,
  )


def _random_image(rng, things, stuff, crowd, size):
  height, width = size
  semantic = np.zeros(size, np.int32)
  thing_id = np.full(size, -1, np.int32)
  is_crowd = np.zeros(size, bool)
  if stuff:
    semantic[:], semantic[:, width // 2 :] = LAYOUT.stuff_ids
    semantic[: height // 4, : width // 3] = LAYOUT.ignore_label
  if crowd:
    is_crowd[-height // 4 :, -width // 4 :] = True
    semantic[is_crowd] = LAYOUT.thing_ids[0]
  for thing in range(things):
    top, left = rng.integers(0, height - 3), rng.integers(0, width - 3)
    tall, wide = rng.integers(2, 5, 2)
    box = np.s_[top : top + tall, left : left + wide]
    semantic[box] = rng.choice(LAYOUT.thing_ids)
    thing_id[box] = thing
    is_crowd[box] = False
  return semantic, thing_id, is_crowd


def random_prediction(
  seed=0, *, size=(HEIGHT, WIDTH), slots=SLOTS, batch=BATCH, scale=2.0
):
  """Logits of the standard deviation `scale`, and features of unit length."""
  rng = np.random.default_rng((seed, 1))

  def draw(*shape):
    return (scale * rng.standard_normal((batch, *shape))).astype(np.float32)

  features = draw(*size, CHANNELS)
  return structures.MaskPrediction(
    mask_logits=draw(*size, slots),
    class_logits=draw(slots, LAYOUT.num_channels),
    pixel_features=features / np.linalg.norm(features, axis=-1, keepdims=True),
    semantic_logits=draw(*size, NUM_CLASSES),
  )


def scene(seed=0, *, slots=SLOTS, size=(HEIGHT, WIDTH), **kwargs):
  """Tensors: a prediction at the size of the tests, and targets at `size`."""
  return (
    tensors(random_prediction(seed, slots=slots)),
    tensors(random_targets(seed, size=size, **kwargs)),
  )


def tensors(structure):
  """A structure of arrays as one of tensors."""
  return type(structure)(*map(tf.constant, structure))
