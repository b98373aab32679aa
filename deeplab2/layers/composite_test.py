import keras
import numpy as np

from deeplab2.layers.composite import Composite


class Pair(Composite):
  """Counts how often it is called."""

  def __init__(self):
    super().__init__()
    self.first = keras.layers.Dense(5)
    self.second = keras.layers.Dense(3)
    self.calls = 0

  def call(self, x):
    self.calls += 1
    return self.second(self.first(x))


def test_the_first_call_creates_the_parts_and_is_the_only_one():
  pair = Pair()
  y = pair(np.ones((2, 7), "float32"))
  assert y.shape == (2, 3)
  assert pair.calls == 1
  shapes = [tuple(v.shape) for v in pair.trainable_variables]
  assert shapes == [(7, 5), (5,), (5, 3), (3,)]


def test_building_alone_creates_nothing():
  pair = Pair()
  pair.build((2, 7))
  assert pair.variables == []
  assert pair.calls == 0
