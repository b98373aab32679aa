"""Residual blocks: basic, bottleneck and axial.

A block takes features that are not rectified and returns such: it begins with
ReLU, and its identity shortcut starts behind it. The last normalization of a
branch starts with gamma zero, so that a new network is a chain of shortcuts.
"""

from keras import ops

from deeplab2.layers.axial_attention import AxialAttention2D
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import ConvNorm
from deeplab2.layers.drop_path import scale_samples
from deeplab2.layers.precision import precision_of_layers
from deeplab2.layers.shared_relu import relu_of_shared


class ResidualBlock(Composite):
  """`relu(x)` or its projection, plus `branch(relu(x))`.

  Subclasses say what the branch is. The shortcut is projected where the block
  changes depth or size.
  """

  def __init__(
    self,
    filters: int,
    norm: NormOptions,
    *,
    strides=1,
    shares_input=False,
    **kwargs,
  ):
    """`shares_input`: other layers read x, not rectified, as well."""
    super().__init__(**kwargs)
    self.filters = filters
    self.norm = norm
    self.strides = strides
    self.shares_input = shares_input
    self.shortcut = None

  def build(self, input_shape):
    if input_shape[-1] == self.filters and self.strides == 1:
      return
    with precision_of_layers(self.dtype_policy.name):
      self.shortcut = ConvNorm(
        self.filters, 1, self.norm, strides=self.strides, relu=False
      )

  def call(self, x, keep=None, training=False):  # b h w c -> b h' w' d
    """`keep` is a factor on each sample's branch, [b], or None (drop path)."""
    x = relu_of_shared(x, training) if self.shares_input else ops.relu(x)
    y = scale_samples(self.branch(x, training), keep)
    if self.shortcut is not None:
      x = self.shortcut(x, training=training)
    return x + y

  def branch(self, x, training):
    raise NotImplementedError


class BasicBlock(ResidualBlock):
  """Two 3x3 convolutions (He et al., 2016; wide in Zagoruyko et al.)."""

  def __init__(self, channels, norm: NormOptions, *, strides=1, **kwargs):
    first, last = channels
    super().__init__(last, norm, strides=strides, **kwargs)
    self.conv1_bn_act = ConvNorm(first, 3, norm, strides=strides)
    self.conv2_bn = ConvNorm(
      last, 3, norm, relu=False, gamma_initializer="zeros"
    )

  def branch(self, x, training):
    x = self.conv1_bn_act(x, training=training)
    return self.conv2_bn(x, training=training)


class BottleneckBlock(ResidualBlock):
  """Convolutions 1x1, 3x3 and 1x1 (He et al., 2016)."""

  def __init__(self, channels, norm: NormOptions, *, strides=1, **kwargs):
    first, middle, last = channels
    super().__init__(last, norm, strides=strides, **kwargs)
    self.conv1_bn_act = ConvNorm(first, 1, norm)
    self.conv2_bn_act = ConvNorm(middle, 3, norm, strides=strides)
    self.conv3_bn = ConvNorm(
      last, 1, norm, relu=False, gamma_initializer="zeros"
    )

  def branch(self, x, training):
    x = self.conv1_bn_act(x, training=training)
    x = self.conv2_bn_act(x, training=training)
    return self.conv3_bn(x, training=training)


class AxialBlock(ResidualBlock):
  """A bottleneck with axial attention in the place of the 3x3 convolution.

  `channels` are those of the first convolution, the keys, the values and the
  last convolution.
  """

  def __init__(self, channels, norm: NormOptions, *, strides=1, **kwargs):
    if strides != 1:
      raise ValueError(f"axial block strides: expected 1; got {strides}.")
    first, key_depth, value_depth, last = channels
    super().__init__(last, norm, **kwargs)
    self.conv1_bn_act = ConvNorm(first, 1, norm)
    self.attention = AxialAttention2D(key_depth, value_depth, norm)
    self.conv3_bn = ConvNorm(
      last, 1, norm, relu=False, gamma_initializer="zeros"
    )

  def branch(self, x, training):
    x = self.conv1_bn_act(x, training=training)
    x = ops.relu(self.attention(x, training=training))
    return self.conv3_bn(x, training=training)


BLOCKS = {
  "basic": BasicBlock,
  "bottleneck": BottleneckBlock,
  "axial": AxialBlock,
}
