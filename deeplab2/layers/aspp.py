"""Atrous spatial pyramid pooling (Chen et al., DeepLabv3, 2017)."""

from keras import ops

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import ConvNorm
from deeplab2.layers.resize import resize_align_corners
from deeplab2.stateless_random import dropout

DROPOUT_RATE = 0.1


class ASPPConv(Composite):
  """One branch: a 3x3 convolution with holes."""

  def __init__(self, filters, atrous_rate, norm: NormOptions, **kwargs):
    super().__init__(**kwargs)
    self.conv_bn_act = ConvNorm(filters, 3, norm, atrous_rate=atrous_rate)

  def call(self, x, training=False):
    return self.conv_bn_act(x, training=training)


class ASPPPool(Composite):
  """The image-level branch: averages over large windows.

  `pool_size` is the window, (height, width) of the features in training; it is
  cut to the features at hand. None averages over all of them.
  """

  def __init__(self, filters, norm: NormOptions, *, pool_size=None, **kwargs):
    super().__init__(**kwargs)
    self.pool_size = pool_size
    self.conv_bn_act = ConvNorm(filters, 1, norm)

  def call(self, x, training=False):
    size = ops.shape(x)[1:3]
    x = self.conv_bn_act(window_mean(x, self.pool_size), training=training)
    return resize_align_corners(x, size)


def window_mean(x, window):
  """Mean over all windows that fit, with stride 1; b h w d to b h' w' d.

  A window larger than x is cut to its size. As two products with band matrices
  it needs no static size.
  """
  if window is None:
    return ops.mean(x, axis=(1, 2), keepdims=True)
  _, height, width, _ = ops.shape(x)
  rows = ops.cast(_band(height, window[0]), x.dtype)
  columns = ops.cast(_band(width, window[1]), x.dtype)
  x = ops.einsum("ih,bhwd->biwd", rows, x)
  return ops.einsum("jw,biwd->bijd", columns, x)


def _band(length, window):
  """[length - window + 1, length]; row i averages `window` places from i on."""
  known = isinstance(length, int)
  window = min(window, length) if known else ops.minimum(window, length)
  start = ops.expand_dims(ops.arange(length - window + 1), 1)
  place = ops.expand_dims(ops.arange(length), 0)
  inside = ops.logical_and(place >= start, place < start + window)
  return ops.cast(inside, "float32") / ops.cast(window, "float32")


class ASPP(Composite):
  """Five views of different reach, concatenated and projected.

  With `only_projection`, the projection alone.
  """

  def __init__(
    self,
    filters: int,
    atrous_rates,
    norm: NormOptions,
    *,
    pool_size=None,
    only_projection=False,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.only_projection = only_projection
    self.proj_conv_bn_act = ConvNorm(filters, 1, norm)
    if only_projection:
      return
    if len(atrous_rates) != 3:
      raise ValueError(
        "atrous_rates: expected three, such as 6, 12, 18; "
        f"got {list(atrous_rates)}."
      )
    rate1, rate2, rate3 = atrous_rates
    self.conv_bn_act = ConvNorm(filters, 1, norm)
    self.aspp_conv1 = ASPPConv(filters, rate1, norm)
    self.aspp_conv2 = ASPPConv(filters, rate2, norm)
    self.aspp_conv3 = ASPPConv(filters, rate3, norm)
    self.aspp_pool = ASPPPool(filters, norm, pool_size=pool_size)

  def call(self, x, training=False, seed=None):  # b h w c -> b h w d
    """`seed`, an int32 pair, turns on dropout of the result in training."""
    if self.only_projection:
      return self.proj_conv_bn_act(x, training=training)
    branches = (
      self.conv_bn_act,
      self.aspp_conv1,
      self.aspp_conv2,
      self.aspp_conv3,
      self.aspp_pool,
    )
    views = [branch(x, training=training) for branch in branches]
    x = self.proj_conv_bn_act(
      ops.concatenate(views, axis=-1), training=training
    )
    if training and seed is not None:
      x = dropout(x, DROPOUT_RATE, seed)
    return x
