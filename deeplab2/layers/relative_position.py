"""Learned encodings of how far a key is from a query on one axis."""

import keras
from keras import ops

# Distances of -254..254 have a vector each; what is further shares the last.
MAX_SPAN = 255


class RelativePosition(keras.layers.Layer):
  """A vector for each (query, key) pair that depends on key - query only.

  Shared by all heads; one layer serves any length.
  """

  def __init__(self, depth: int, **kwargs):
    super().__init__(**kwargs)
    self.embeddings = self.add_weight(
      name="embeddings",
      shape=(2 * MAX_SPAN - 1, depth),
      initializer=keras.initializers.TruncatedNormal(stddev=1.0),
    )

  def call(self, length):  # -> l m d
    """Encodings of all pairs of a sequence; `length` is an int or a scalar."""
    places = ops.arange(length)
    distance = ops.expand_dims(places, 0) - ops.expand_dims(places, 1)
    rows = ops.clip(distance, 1 - MAX_SPAN, MAX_SPAN - 1) + (MAX_SPAN - 1)
    # The gradient of a reshaped table is dense, as clipping by norm needs it.
    table = ops.reshape(self.embeddings, (2 * MAX_SPAN - 1, -1))
    return ops.take(table, rows, axis=0)
