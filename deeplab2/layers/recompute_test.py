import keras
import numpy as np
import pytest

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.dual_path_transformer import DualPathTransformer
from deeplab2.layers.precision import precision_of_layers
from deeplab2.layers.recompute import recompute, runner
from deeplab2.layers.residual_block import AxialBlock
from deeplab2.stateless_random import dropout

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
  pytest.skip("gradients are taken with TensorFlow", allow_module_level=True)

B, H, W, C = 3, 5, 7, 6


def _block():
  block = AxialBlock((3, 8, 16, C), NormOptions(momentum=0.9))
  block(tf.zeros((B, H, W, C)))
  rng = np.random.default_rng(0)
  for variable in block.trainable_variables:
    variable.assign(rng.normal(size=variable.shape))
  return block


def _step(block, run, x, keep, compiled):
  """Loss, gradients of input and variables, averages after the step."""

  def step(x, keep):
    with tf.GradientTape() as tape:
      tape.watch(x)
      loss = tf.reduce_sum(tf.square(run(block, x, keep)))
    sources = [x, *(v.value for v in block.trainable_variables)]
    return loss, tape.gradient(loss, sources)

  loss, gradients = (tf.function(step) if compiled else step)(x, keep)
  return loss, gradients, [v.numpy() for v in block.non_trainable_variables]


def _once(block, x, keep):
  return block(x, keep=keep, training=True)


def _twice(block, x, keep):
  return recompute(lambda x, keep: block(x, keep=keep, training=True), x, keep)


@pytest.mark.parametrize("compiled", [False, True])
def test_same_gradients_and_one_update_of_the_averages(compiled):
  x = tf.random.stateless_normal((B, H, W, C), [1, 2])
  keep = tf.constant([0.0, 2.0, 1.0])
  loss, gradients, averages = _step(_block(), _once, x, keep, compiled)
  loss2, gradients2, averages2 = _step(_block(), _twice, x, keep, compiled)
  np.testing.assert_allclose(loss, loss2, rtol=1e-6)
  for a, b in zip(averages, averages2, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)
  assert np.abs(averages[0]).max() > 0
  for a, b in zip(gradients, gradients2, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(a).max() + 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_run_takes_and_gives_structures(dtype):
  """A transformer has two results, and a list of tensors and Nones."""
  with precision_of_layers(dtype):
    layer = DualPathTransformer(8, 11, NormOptions())
  pixels = tf.random.stateless_normal((B, H, W, C), [1, 2])
  memory = tf.random.stateless_normal((B, 13, 4), [3, 4])
  layer(pixels, memory)
  for i, variable in enumerate(layer.trainable_variables):
    variable.assign(tf.random.stateless_normal(variable.shape, [i, 5]))
  keep = [tf.constant([0.0, 2.0, 1.0]), None, tf.constant([1.0, 0.0, 2.0])]

  @tf.function
  def step(again):
    run = runner(training=True, again=again)
    with tf.GradientTape() as tape:
      tape.watch((pixels, memory))
      a, b = run(layer, pixels, memory, keep=keep)
      total = tf.reduce_sum(a * a) + tf.reduce_sum(b * b)
    sources = [pixels, memory, *(v.value for v in layer.trainable_variables)]
    return a, b, tape.gradient(total, sources)

  once, twice = step(False), step(True)
  for a, b in zip(tf.nest.flatten(once), tf.nest.flatten(twice), strict=True):
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(a).max() + 1e-5)


def test_a_seed_draws_the_same_numbers_again():
  @tf.function
  def step(again, seed):
    run = runner(training=True, again=again)
    layer = Dropped()
    layer.built = True
    x = tf.ones((B, H, W, C))
    with tf.GradientTape() as tape:
      tape.watch(x)
      y = run(layer, x, seed=seed)
    return y, tape.gradient(y, x)

  for seed in ([1, 2], [3, 4]):
    y, slope = step(True, tf.constant(seed))
    np.testing.assert_array_equal(y, slope)
    np.testing.assert_array_equal(y, step(False, tf.constant(seed))[0])
  assert len(np.unique(y)) == 2


class Dropped(keras.layers.Layer):
  def call(self, x, training=False, seed=None):
    return dropout(x, 0.5, seed)


def test_nothing_is_computed_again_before_its_gradient_is_there(ancestors):
  """The order is that of the graph: what it leaves open, runs at once."""

  @tf.function
  def gradient(x, late):
    y = recompute(lambda x: tf.math.erf(tf.math.sin(x)), x)
    return tf.gradients(y, x, late)

  graph = gradient.get_concrete_function(x := tf.ones(7), x).graph
  late = graph.inputs[1].op
  first, again = (op for op in graph.get_operations() if op.type == "Sin")
  assert late not in ancestors(first)
  assert late in ancestors(again)
