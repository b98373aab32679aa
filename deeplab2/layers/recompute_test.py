import keras
import numpy as np
import pytest

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.recompute import recompute
from deeplab2.layers.residual_block import AxialBlock

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
  return recompute(block, x, keep)


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
