import keras
import numpy as np
import pytest

from deeplab2 import cpu_kernels
from deeplab2.layers.depthwise_convolution import (
  DepthwiseConv2D,
  kernel_gradient,
)
from deeplab2.layers.recompute import recompute

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
  pytest.skip("gradients are taken with TensorFlow", allow_module_level=True)

B, H, W, C, K, J = 2, 7, 11, 5, 3, 5


def _random(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _slowly(x, dy):
  """Place by place."""
  padded = np.pad(x, ((0, 0), (K // 2, K // 2), (J // 2, J // 2), (0, 0)))
  gradient = np.zeros((K, J, C, 1))
  for i, j in np.ndindex(K, J):
    moved = padded[:, i : i + H, j : j + W]
    gradient[i, j, :, 0] = np.einsum("bhwc,bhwc->c", moved, dy)
  return gradient


def test_the_gradient_of_the_kernel_is_a_sum_over_pixels():
  x, dy = _random(B, H, W, C), _random(B, H, W, C, seed=1)
  np.testing.assert_allclose(
    kernel_gradient(x, dy, (K, J)), _slowly(x, dy), atol=1e-4
  )


def _layer(dtype="float32"):
  keras.utils.set_random_seed(0)
  layer = DepthwiseConv2D((K, J), dtype=dtype)
  layer.build((B, H, W, C))
  return layer


def _learn(layer, x, training=True):
  """Output and gradients."""
  sources = x, layer.kernel.value
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = layer(x, training=training)
  dy = tf.cast(_random(B, H, W, C, seed=1), y.dtype)
  return y, *tape.gradient(y, sources, dy)


def _image():
  return tf.constant(_random(B, H, W, C))


@pytest.fixture
def onednn(monkeypatch):
  monkeypatch.setattr(cpu_kernels, "onednn_in_use", lambda: True)


def _assert_near(ours, theirs, tolerance):
  for a, b in zip(ours, theirs, strict=True):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    a, b = (np.array(tf.cast(x, tf.float32)) for x in (a, b))
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize(
  "dtype, tolerance",
  [("float32", 1e-5), ("mixed_bfloat16", 0.02), ("bfloat16", 0.02)],
)
def test_the_layer_agrees_with_keras(dtype, tolerance, onednn):
  layer = _layer(dtype)
  ours = _learn(layer, _image())
  _assert_near(ours, _learn(layer, _image(), training=False), tolerance)


def test_unknown_sizes_are_served_too(onednn):
  layer = _layer()
  spec = tf.TensorSpec([None, None, None, C])
  unknown = tf.function(lambda x: _learn(layer, x), input_signature=[spec])
  _assert_near(unknown(_image()), _learn(layer, _image()), 1e-5)


def test_it_can_be_computed_again(onednn):
  layer = _layer()
  again = lambda x, training: recompute(
    lambda x: layer(x, training=training), x
  )
  again.kernel = layer.kernel
  _assert_near(_learn(again, _image()), _learn(layer, _image()), 1e-6)


@pytest.mark.parametrize(
  "chosen, training, usual",
  [(True, True, False), (True, False, True), (False, True, True)],
)
def test_the_gradient_is_the_usual_one_elsewhere(
  chosen, training, usual, monkeypatch
):
  monkeypatch.setattr(cpu_kernels, "onednn_in_use", lambda: chosen)
  layer = _layer()
  learn = tf.function(lambda x: _learn(layer, x, training))
  graph = learn.get_concrete_function(_image()).graph
  kinds = {op.type for op in graph.get_operations()}
  assert ("DepthwiseConv2dNativeBackpropFilter" in kinds) == usual
