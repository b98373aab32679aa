import numpy as np
import pytest

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.convolution import (
  ConvNorm,
  DepthwiseNorm,
  SeparableConvNorm,
  SequenceConvNorm,
  convolution_of,
)

B, H, W, C, D = 2, 17, 33, 3, 5
NORM = NormOptions()


def _image(seed=0):
  return np.random.default_rng(seed).normal(size=(B, H, W, C)).astype("float32")


def _at(x, y, row, column, stride):
  """What stride-s convolution gives at a place, by hand: 3x3, zero padding."""
  padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  window = padded[:, stride * row :, stride * column :][:, :3, :3]
  return np.einsum("bijc,ijcd->bd", window, y)


@pytest.mark.parametrize("stride", [1, 2])
def test_kernels_are_centred_on_multiples_of_the_stride(stride):
  layer = ConvNorm(D, 3, NORM, strides=stride, relu=False)
  x = _image()
  y = np.array(layer(x))
  kernel = np.array(layer.conv.kernel)
  assert y.shape == (B, (H - 1) // stride + 1, (W - 1) // stride + 1, D)
  for row, column in ((0, 0), (3, 5), (y.shape[1] - 1, y.shape[2] - 1)):
    expected = _at(x, kernel, row, column, stride) / np.sqrt(1 + NORM.epsilon)
    np.testing.assert_allclose(y[:, row, column], expected, atol=1e-5)


@pytest.mark.parametrize("size", [16, 17])
def test_a_strided_convolution_sees_the_pixels_of_its_dense_one(size):
  x = _image()[:, :size, :size]
  dense = ConvNorm(D, 3, NORM, relu=False)
  strided = ConvNorm(D, 3, NORM, strides=2, relu=False)
  y = np.array(dense(x))
  strided(x)
  strided.conv.kernel.assign(dense.conv.kernel)
  np.testing.assert_allclose(strided(x), y[:, ::2, ::2], atol=1e-5)


def test_atrous_convolution_keeps_the_size():
  assert ConvNorm(D, 3, NORM, atrous_rate=6)(_image()).shape == (B, H, W, D)


def test_relu_is_last_and_optional():
  x = _image()
  plain = ConvNorm(D, 1, NORM, relu=False)
  rectified = ConvNorm(D, 1, NORM)
  y = np.array(plain(x))
  rectified(x)
  rectified.conv.kernel.assign(plain.conv.kernel)
  assert y.min() < 0
  np.testing.assert_array_equal(rectified(x), np.maximum(y, 0))


def _fill(batch_norm):
  for seed, variable in enumerate(batch_norm.variables):
    numbers = np.random.default_rng(seed).uniform(0.5, 2.0, variable.shape)
    variable.assign(numbers)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_without_a_batch_it_normalizes_by_moving_averages(kernel_size):
  layer = ConvNorm(D, kernel_size, NORM, relu=False)
  x = _image()
  layer(x)
  _fill(layer.batch_norm)
  np.testing.assert_allclose(
    layer(x), layer.batch_norm(layer.conv(x)), atol=1e-4
  )


def test_depthwise_normalizes_by_moving_averages_without_a_batch():
  layer = DepthwiseNorm(5, NORM)
  x = _image()
  layer(x)
  _fill(layer.batch_norm)
  expected = layer.batch_norm(layer.depthwise_conv(x))
  np.testing.assert_allclose(layer(x), np.maximum(expected, 0), atol=1e-4)


def test_depthwise_mixes_no_channels():
  layer = DepthwiseNorm(5, NORM)
  x = _image()
  before = np.array(layer(x))
  x[..., 1] += 1
  after = np.array(layer(x))
  np.testing.assert_array_equal(before[..., [0, 2]], after[..., [0, 2]])
  assert np.abs(before - after)[..., 1].max() > 0


def test_separable_rectifies_after_both_convolutions():
  layer = SeparableConvNorm(D, 5, NORM)
  x = _image()
  y = np.array(layer(x))
  expected = layer.pointwise(layer.depthwise(x))
  np.testing.assert_array_equal(y, expected)
  assert np.array(layer.depthwise(x)).min() == 0 and y.min() == 0


def test_sequence_convolution_is_a_product_a_place():
  layer = SequenceConvNorm(D, NORM, relu=False)
  x = _image()[:, 0]
  y = np.array(layer(x))
  expected = x @ np.array(layer.conv.kernel)[0] / np.sqrt(1 + NORM.epsilon)
  np.testing.assert_allclose(y, expected, atol=1e-6)


def test_an_unknown_kind_is_refused_with_the_choices():
  with pytest.raises(ValueError) as error:
    convolution_of("separable", "head_conv_type")
  assert str(error.value) == (
    "head_conv_type: expected one of ['depthwise_separable_conv', "
    "'standard_conv']; got 'separable'."
  )
