"""Random numbers that are a function of a seed tensor, on every backend.

Keras takes a seed as an int or as a generator with state. Ours comes from the
step, as a tensor, so a resumed run sees what an uninterrupted one would have.
"""

import keras
from keras import ops


class _GivenSeed(keras.random.SeedGenerator):
  """Hands out one seed tensor, and holds no variable."""

  def __init__(self, seed):
    dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
    self._given = ops.cast(seed, dtype)

  def next(self, ordered=True):
    return self._given


def uniform(shape, seed):
  """float32 in [0, 1) of the given shape, a function of the int32 pair."""
  return keras.random.uniform(shape, dtype="float32", seed=_GivenSeed(seed))


def split_seed(seed, count: int):
  """`count` unrelated seeds, each an int32 pair, from one."""
  drawn = keras.random.randint(
    (count, 2), 0, 2**31 - 1, dtype="int32", seed=_GivenSeed(seed)
  )
  return [drawn[i] for i in range(count)]


def dropout(x, rate: float, seed):
  """Zeroes a share `rate` of x and scales the rest to keep the mean."""
  return keras.random.dropout(x, rate, seed=_GivenSeed(seed))
