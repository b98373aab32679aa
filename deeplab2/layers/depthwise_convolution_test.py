import keras
import numpy as np
import pytest

from deeplab2 import cpu_kernels
from deeplab2.layers.depthwise_convolution import (
  DepthwiseConv2D,
  kernel_gradient,
)

tf = pytest.importorskip("tensorflow")
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
  layer = DepthwiseConv2D((K, J), padding="same", use_bias=False, dtype=dtype)
  layer.build((B, H, W, C))
  return layer


def _learn(layer):
  """Output and gradients."""
  x = tf.constant(_random(B, H, W, C))
  sources = x, layer.kernel.value
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = layer(x)
  dy = tf.cast(_random(B, H, W, C, seed=1), y.dtype)
  return y, *tape.gradient(y, sources, dy)


@pytest.mark.parametrize(
  "dtype, tolerance", [("float32", 1e-5), ("mixed_bfloat16", 0.02)]
)
def test_the_layer_agrees_with_keras(dtype, tolerance, monkeypatch):
  layer = _layer(dtype)
  monkeypatch.setattr(cpu_kernels, "onednn_in_use", lambda: True)
  ours = _learn(layer)
  monkeypatch.setattr(cpu_kernels, "onednn_in_use", lambda: False)
  theirs = _learn(layer)
  for a, b in zip(ours, theirs, strict=True):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    a, b = (np.array(tf.cast(x, tf.float32)) for x in (a, b))
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize("chosen, usual", [("1", False), ("0", True)])
def test_other_kernels_take_the_usual_gradient(chosen, usual, monkeypatch):
  monkeypatch.setenv(cpu_kernels.VARIABLE, chosen)
  layer = _layer()
  graph = tf.function(lambda: _learn(layer)).get_concrete_function().graph
  kinds = {op.type for op in graph.get_operations()}
  assert ("DepthwiseConv2dNativeBackpropFilter" in kinds) == usual
