"""Random numbers that are a function of a seed tensor, on every backend.

Keras takes a seed as an int or as a generator with state. Ours comes from the
step, as a tensor, so a resumed run sees what an uninterrupted one would have.

A seed is an int32 pair. One for a part of a batch is a triple: the pair of the
whole batch, and the number of the part's first image in it. What an image draws
follows from the pair and its number; a batch that is divided among devices,
hosts or micro-batches draws what it would have drawn whole.
"""

import math

import keras
from keras import ops

# Philox makes so many numbers at each value of its counter.
_AT_ONCE = 4


class _GivenSeed(keras.random.SeedGenerator):
  """Hands out one seed tensor, and holds no variable."""

  def __init__(self, seed):
    dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
    self._given = ops.cast(seed, dtype)

  def next(self, ordered=True):
    return self._given


def uniform(shape, seed):
  """float32 in [0, 1) of the given shape, whose first axis is that of images.

  Raises:
    NotImplementedError: a triple, with a backend other than TensorFlow.
  """
  if keras.backend.backend() == "tensorflow":
    return _uniform_by_image(shape, ops.convert_to_tensor(seed, "int32"))
  if len(seed) == 3:
    raise NotImplementedError(
      "keras.backend: parts of a batch need 'tensorflow'; "
      f"got {keras.backend.backend()!r}."
    )
  return keras.random.uniform(shape, dtype="float32", seed=_GivenSeed(seed))


def split_seed(seed, count: int):
  """`count` unrelated seeds from one, all of the same part of the batch."""
  seed = ops.convert_to_tensor(seed, "int32")
  drawn = keras.random.randint(
    (count, 2), 0, 2**31 - 1, dtype="int32", seed=_GivenSeed(seed[:2])
  )
  return [ops.concatenate([drawn[i], seed[2:]]) for i in range(count)]


def dropout(x, rate: float, seed):
  """Zeroes a share `rate` of x and scales the rest to keep the mean."""
  kept = uniform(ops.shape(x), seed) >= rate
  return ops.where(kept, x / ops.cast(1 - rate, x.dtype), ops.zeros_like(x))


def _uniform_by_image(shape, seed):
  """Starts each image at a value of the counter that its number gives."""
  import tensorflow as tf

  width = math.prod(shape[1:])
  counts = (width + _AT_ONCE - 1) // _AT_ONCE  # of the counter, an image
  key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed[:2])
  if seed.shape[0] == 3:
    skipped = tf.cast(seed[2], tf.int64) * tf.cast(counts, tf.int64)
    # Not all devices add unsigned numbers; signed ones wrap to the same bits.
    moved = tf.bitcast(counter, tf.int64) + tf.stack([skipped, 0])
    counter = tf.bitcast(moved, tf.uint64)
  drawn = tf.raw_ops.StatelessRandomUniformV2(
    shape=[shape[0], counts * _AT_ONCE],
    key=key,
    counter=counter,
    alg=tf.random.Algorithm.PHILOX.value,
    dtype=tf.float32,
  )
  return tf.reshape(drawn[:, :width], shape)
