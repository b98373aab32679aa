"""Stems: from the image to features at stride 2, not yet rectified."""

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import ConvNorm


class InceptionStem(Composite):
  """Three 3x3 convolutions, the first of stride 2 (Szegedy et al., 2016)."""

  def __init__(self, width_multiplier: float, norm: NormOptions, **kwargs):
    super().__init__(**kwargs)
    narrow, wide = int(64 * width_multiplier), int(128 * width_multiplier)
    self.conv1_bn_act = ConvNorm(narrow, 3, norm, strides=2)
    self.conv2_bn_act = ConvNorm(narrow, 3, norm)
    self.conv3_bn = ConvNorm(wide, 3, norm, relu=False)

  def call(self, image, training=False):  # b h w 3 -> b h/2 w/2 d
    x = self.conv1_bn_act(image, training=training)
    x = self.conv2_bn_act(x, training=training)
    return self.conv3_bn(x, training=training)


def wide_stem(width_multiplier: float, norm: NormOptions) -> ConvNorm:
  """One 3x3 convolution of stride 2, as wide residual networks begin."""
  filters = round(64 * width_multiplier)
  return ConvNorm(filters, 3, norm, strides=2, relu=False)


STEMS = {"inception": InceptionStem, "wide": wide_stem}
