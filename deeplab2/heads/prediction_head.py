"""The head of dense predictions: a 5x5 convolution, then a 1x1."""

import keras

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import convolution_of


class ConvBlock(Composite):
  """One normalized and rectified convolution of a kind that configs name."""

  def __init__(self, kind: str, filters: int, norm: NormOptions, **kwargs):
    super().__init__(**kwargs)
    self.conv1_bn_act = convolution_of(kind)(filters, 5, norm)

  def call(self, x, training=False):
    return self.conv1_bn_act(x, training=training)


class PredictionHead(Composite):
  """Features to `outputs` numbers a pixel, float32, b h w c."""

  def __init__(
    self,
    outputs: int,
    filters: int,
    norm: NormOptions,
    *,
    kind: str = "depthwise_separable_conv",
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.conv_block = ConvBlock(kind, filters, norm)
    self.final_conv = keras.layers.Conv2D(
      outputs,
      1,
      kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.01),
      dtype="float32",
    )

  def call(self, x, training=False):
    return self.final_conv(self.conv_block(x, training=training))
