import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.layers.axial_attention import AxialAttention2D
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.convolution import (
  ConvNorm,
  DepthwiseNorm,
  SequenceConvNorm,
)
from deeplab2.layers.settled import settled, settled_variables

pytestmark = pytest.mark.skipif(
  keras.backend.backend() != "tensorflow", reason="graphs are TensorFlow's"
)


def _function(layer, inside):
  def call(x):
    if not inside:
      return layer(x, training=False)
    with settled_variables():
      return layer(x, training=False)

  return tf.function(call)


def _multiplications(function, x):
  operations = function.get_concrete_function(x).graph.get_operations()
  return sum(op.type == "Mul" for op in operations)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
  ("kind", "arguments", "shape"),
  [
    (ConvNorm, (5, 3), (2, 7, 11, 3)),
    (DepthwiseNorm, (5,), (2, 7, 11, 3)),
    (SequenceConvNorm, (5,), (2, 13, 3)),
    (AxialAttention2D, (16, 24), (2, 5, 7, 3)),
  ],
)
def test_a_layer_computes_the_same_with_less_to_do(
  kind, arguments, shape, precision
):
  layer = kind(*arguments, NormOptions(), dtype=precision)
  x = tf.constant(np.random.default_rng(2).standard_normal(shape, np.float32))
  layer(x, training=True)  # averages that are not zero and one
  anew, once = _function(layer, False), _function(layer, True)
  # TensorFlow may multiply constants in another order than it is told to.
  np.testing.assert_allclose(anew(x), once(x), rtol=1e-5, atol=1e-5)
  assert _multiplications(once, x) == 0 < _multiplications(anew, x)


def test_a_size_that_a_graph_does_not_know_changes_nothing():
  layer = AxialAttention2D(16, 24, NormOptions())
  x = np.random.default_rng(2).normal(size=(2, 5, 7, 3)).astype("float32")
  expected = layer(x)
  signature = [tf.TensorSpec([None, None, None, 3])]

  @tf.function(input_signature=signature)
  def call(x):
    with settled_variables():
      return layer(x)

  np.testing.assert_allclose(call(x), expected, rtol=1e-5, atol=1e-5)


def test_later_changes_do_not_show():
  layer = ConvNorm(5, 3, NormOptions())
  x = tf.ones((1, 7, 7, 3))
  layer(x, training=False)
  anew, once = _function(layer, False), _function(layer, True)
  before = anew(x).numpy(), once(x).numpy()
  layer.conv.kernel.assign(layer.conv.kernel * 2)
  np.testing.assert_array_equal(once(x), before[1])
  np.testing.assert_allclose(anew(x), 2 * before[0], rtol=1e-6)


def test_it_ends_with_its_scope():
  variable = tf.Variable(2.0)

  @tf.function
  def double():
    with settled_variables():
      inside = settled(lambda: variable * 2)
    return inside, settled(lambda: variable * 2)

  double()
  variable.assign(3.0)
  inside, outside = double()
  assert (inside.numpy(), outside.numpy()) == (4.0, 6.0)
