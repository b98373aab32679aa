import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import fake_architecture as fake
from deeplab2.training.layer_probe import (
  layers_by_path,
  probing,
  sizing_outputs,
)


class Outer(keras.Model):
  """A layer in a layer, one that gives no number, and one called twice."""

  def __init__(self):
    super().__init__()
    self.inner = keras.layers.Dense(3)
    self.drop = keras.layers.Identity(dtype="int32")

  def call(self, x):
    self.drop(tf.constant([1]))
    return {"twice": self.inner(self.inner(x)), "none": None}


def test_calls_are_listed_as_they_end_with_what_they_gave():
  model = Outer()
  with probing(model) as seen:
    result = model(tf.ones((2, 3)))
  assert [(o.path, o.kind) for o in seen] == [("inner", "Dense")] * 2
  np.testing.assert_array_equal(seen[-1].tensors[0], result["twice"])
  model(tf.ones((2, 3)))
  assert len(seen) == 2


def test_sizes_are_those_of_the_innermost_layers():
  model = Outer()
  with sizing_outputs() as size:
    model(tf.ones((2, 3, 5, 3)))
  assert size.pixels == 2 * 3 * 5
  assert size.bytes == 2 * 4 * (2 * 3 * 5 * 3)  # `inner`, twice, in float32


def test_a_graph_has_no_values_to_show():
  model = Outer()
  with probing(model) as seen:
    tf.function(model)(tf.ones((2, 3)))
  assert seen == []


def test_an_error_leaves_layers_as_they_were():
  before = keras.layers.Layer.__call__
  with pytest.raises(KeyError), probing(Outer()):
    raise KeyError
  assert keras.layers.Layer.__call__ is before


def test_paths_are_those_of_the_variables():
  model = fake.build(fake.experiment()).model
  owners = {path.rpartition("/")[0] for path in variables_by_path(model)}
  assert owners == set(layers_by_path(model))
