"""Convolutions followed by batch normalization and ReLU.

A strided kernel is centred on the pixels 0, s, 2s, ... : the zero padding is
symmetric, unlike Keras's "same", so that features of all strides stay aligned.
"""

import keras
from keras import ops

from deeplab2.layers.atrous_convolution import AtrousConv2D
from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.depthwise_convolution import DepthwiseConv2D
from deeplab2.layers.pointwise import pointwise, shifted
from deeplab2.layers.settled import settled


def normalized(convolution, batch_norm: BatchNorm, x, training):
  """`batch_norm(convolution(x))`, of a convolution without bias.

  A normalization by moving averages goes into the kernel, which has fewer
  numbers than the features, and the bias of the convolution.
  """
  if not batch_norm.built:
    convolution.build(x.shape)
    batch_norm.build((None, convolution.filters))
  dtype = convolution.compute_dtype
  x = ops.cast(x, dtype)
  if batch_norm.uses_batch(training):
    kernel = ops.cast(convolution.kernel, dtype)
    return batch_norm(_convolved(convolution, x, kernel), training=training)
  kernel, bias = settled(
    lambda: batch_norm.folded_into(convolution.kernel, dtype)
  )
  x = _convolved(convolution, x, kernel, bias)
  return ops.cast(x, batch_norm.compute_dtype)


def _convolved(convolution, x, kernel, bias=None):
  """What `convolution` does, with this kernel and bias."""
  if {*convolution.kernel_size, *convolution.strides} == {1}:
    return pointwise(x, kernel, bias)
  return shifted(convolution.convolution_op(x, kernel), bias)


class ConvNorm(Composite):
  """Convolution without bias, batch normalization, and ReLU if `relu`."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    norm: NormOptions,
    *,
    strides: int = 1,
    atrous_rate: int = 1,
    relu: bool = True,
    gamma_initializer="ones",
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.padding = (kernel_size - 1) * atrous_rate // 2 if strides > 1 else 0
    self.relu = relu
    dilated = atrous_rate > 1 and strides == 1
    kind = AtrousConv2D if dilated else keras.layers.Conv2D
    self.conv = kind(
      filters,
      kernel_size,
      strides=strides,
      padding="same" if strides == 1 else "valid",
      dilation_rate=atrous_rate,
      use_bias=False,
      kernel_initializer="he_normal",
    )
    self.batch_norm = BatchNorm(norm, gamma_initializer=gamma_initializer)

  def call(self, x, training=False):  # b h w c -> b h' w' d
    if self.padding:
      sides = (self.padding, self.padding)
      x = ops.pad(x, ((0, 0), sides, sides, (0, 0)))
    x = normalized(self.conv, self.batch_norm, x, training)
    return ops.relu(x) if self.relu else x


class DepthwiseNorm(Composite):
  """Depthwise convolution, batch normalization, ReLU; keeps size and depth."""

  def __init__(self, kernel_size: int, norm: NormOptions, **kwargs):
    super().__init__(**kwargs)
    self.depthwise_conv = DepthwiseConv2D(kernel_size)
    self.batch_norm = BatchNorm(norm)

  def build(self, input_shape):
    self.depthwise_conv.build(input_shape)
    self.batch_norm.build(input_shape)

  def call(self, x, training=False):  # b h w c -> b h w c
    if self.batch_norm.uses_batch(training):
      x = self.depthwise_conv(x, training=training)
      return ops.relu(self.batch_norm(x, training=training))
    kernel, bias = settled(self._folded)
    x = ops.depthwise_conv(x, kernel, padding="same")
    return ops.relu(shifted(x, bias))

  def _folded(self):
    """Kernel and bias with the normalization by moving averages in them."""
    scale, shift = self.batch_norm.scale_and_shift()
    kernel = self.depthwise_conv.kernel * scale[:, None]
    return (
      ops.cast(kernel, self.compute_dtype),
      ops.cast(shift, self.compute_dtype),
    )


class SeparableConvNorm(Composite):
  """A depthwise and a 1x1 convolution, each normalized and rectified."""

  def __init__(
    self, filters: int, kernel_size: int, norm: NormOptions, **kwargs
  ):
    super().__init__(**kwargs)
    self.depthwise = DepthwiseNorm(kernel_size, norm)
    self.pointwise = ConvNorm(filters, 1, norm)

  def call(self, x, training=False):  # b h w c -> b h w d
    return self.pointwise(
      self.depthwise(x, training=training), training=training
    )


class SequenceConvNorm(Composite):
  """A 1x1 convolution over a sequence, batch normalization, optional ReLU."""

  def __init__(
    self,
    filters: int,
    norm: NormOptions,
    *,
    relu: bool = True,
    gamma_initializer="ones",
    kernel_initializer="he_normal",
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.relu = relu
    self.conv = keras.layers.Conv1D(
      filters, 1, use_bias=False, kernel_initializer=kernel_initializer
    )
    self.batch_norm = BatchNorm(norm, gamma_initializer=gamma_initializer)

  def call(self, x, training=False):  # b p c -> b p d
    x = normalized(self.conv, self.batch_norm, x, training)
    return ops.relu(x) if self.relu else x


CONVOLUTIONS = {
  "depthwise_separable_conv": SeparableConvNorm,
  "standard_conv": ConvNorm,
}


def convolution_of(kind: str, field: str = "conv_type"):
  """The layer class that configs call `kind`; `field` names it in errors."""
  if kind not in CONVOLUTIONS:
    raise ValueError(
      f"{field}: expected one of {sorted(CONVOLUTIONS)}; got {kind!r}."
    )
  return CONVOLUTIONS[kind]
