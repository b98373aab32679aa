"""Learned encodings of how far a key is from a query on one axis.

An encoding is the same for all pairs of one distance. So a product with it is
taken once for each distance, r of them, and then set out over the keys: nothing
of l x m x d is made, for l queries and m = l keys of n heads in s sequences.
"""

import keras
from keras import ops

# Distances of -254..254 have a vector each; what is further shares the last.
MAX_SPAN = 255


class RelativePosition(keras.layers.Layer):
  """A vector for each distance; shared by all heads, and for any length."""

  def __init__(self, depth: int, **kwargs):
    super().__init__(**kwargs)
    self.embeddings = self.add_weight(
      name="embeddings",
      shape=(2 * MAX_SPAN - 1, depth),
      initializer=keras.initializers.TruncatedNormal(stddev=1.0),
      autocast=False,
    )

  def call(self, length, backwards=False):  # -> r d  float32
    """Vectors of the distances from 1 - length to length, r = 2 * length.

    The last is of no pair, but `over_keys` and `over_distances` need its place.

    Args:
      length: an int or a scalar; of the sequence.
      backwards: whether distances are query - key instead of key - query.
    """
    table, middle = self._table_for(length)
    if backwards:
      return ops.flip(table[middle - length : middle + length], axis=0)
    return table[middle + 1 - length : middle + 1 + length]

  def _table_for(self, length):
    """Rows of all distances up to `length`, and which one is that of 0."""
    table, middle = ops.convert_to_tensor(self.embeddings), MAX_SPAN - 1
    if isinstance(length, int) and length <= middle:
      return table, middle
    beyond = ops.maximum(length - middle, 0)
    shape = (beyond, table.shape[1])
    first = ops.broadcast_to(table[:1], shape)
    last = ops.broadcast_to(table[-1:], shape)
    return ops.concatenate([first, table, last]), middle + beyond


def over_keys(x):  # n s l r -> n s l m
  """For each query, from distances to keys: y[l, m] = x[l, m - l + length - 1].

  Cut into rows that are shorter by one, each next row begins one distance
  earlier.
  """
  heads, sequences, length, distances = ops.shape(x)
  used = length * (distances - 1)
  flat = ops.reshape(x, (heads, sequences, length * distances))
  # Not flat[...]: the gradient of an index is slower than that of a slice.
  flat = ops.slice(flat, (0, 0, length - 1), (heads, sequences, used))
  rows = ops.reshape(flat, (heads, sequences, length, distances - 1))
  return ops.slice(rows, (0, 0, 0, 0), (heads, sequences, length, length))


def over_distances(y):  # n s l m -> n s l r
  """The inverse of `over_keys`; zero at distances that no key has."""
  heads, length = y.shape[0], ops.shape(y)[2]
  distances = 2 * length
  wide = ops.pad(y, ((0, 0), (0, 0), (0, 0), (0, length - 1)))
  flat = ops.reshape(wide, (heads, -1, length * (distances - 1)))
  flat = ops.pad(flat, ((0, 0), (0, 0), (length - 1, 1)))
  return ops.reshape(flat, (heads, -1, length, distances))
