import keras
import numpy as np
import pytest

from deeplab2.layers.atrous_convolution import AtrousConv2D, sum_of_taps

B, H, W, C, D = 2, 7, 11, 3, 5


def _inputs(seed=0):
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(B, H, W, C)).astype("float32")
  return x, rng.normal(size=(3, 3, C, D)).astype("float32")


def _slowly(x, kernel, rate):
  """Place by place."""
  padded = np.pad(x, ((0, 0), (rate, rate), (rate, rate), (0, 0)))
  y = np.zeros((B, H, W, D))
  for row, column in np.ndindex(H, W):
    seen = padded[:, row::rate, column::rate][:, :3, :3]
    y[:, row, column] = np.einsum("bijc,ijcd->bd", seen, kernel)
  return y


@pytest.mark.parametrize("rate", [1, 2, 6, 7, 10, 11, 18])
def test_the_sum_of_taps_is_the_convolution(rate):
  x, kernel = _inputs()
  np.testing.assert_allclose(
    sum_of_taps(x, kernel, rate), _slowly(x, kernel, rate), atol=1e-4
  )


def test_beyond_the_features_only_the_centre_remains():
  x, kernel = _inputs()
  np.testing.assert_allclose(
    sum_of_taps(x, kernel, 11), x @ kernel[1, 1], atol=1e-5
  )


def test_the_layer_agrees_with_keras():
  x, _ = _inputs()
  options = dict(padding="same", dilation_rate=3, use_bias=False)
  layer = AtrousConv2D(D, 3, **options)
  plain = keras.layers.Conv2D(D, 3, **options)
  layer(x)
  plain(x)
  plain.kernel.assign(layer.kernel)
  np.testing.assert_allclose(layer(x), plain(x), atol=1e-5)


def test_unknown_sizes_are_served_too():
  tf = pytest.importorskip("tensorflow")
  x, _ = _inputs()
  layer = AtrousConv2D(D, 3, padding="same", dilation_rate=3)
  layer(x)
  spec = tf.TensorSpec([None, None, None, C])
  y = tf.function(lambda x: layer(x), input_signature=[spec])(x)
  np.testing.assert_allclose(y, layer(x), atol=1e-5)
