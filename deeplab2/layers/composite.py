"""A layer made of layers."""

import keras


class Composite(keras.layers.Layer):
  """A layer whose parts create their variables when they are first called.

  Without a `build` of its own, Keras would trace the call of a layer, and again
  that of each layer inside, to find out what to create: most of the time of
  making a large network.
  """

  def build(self, input_shape):
    """Creates nothing; see above."""
