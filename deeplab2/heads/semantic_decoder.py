"""Decoder of the auxiliary semantic branch (Panoptic-DeepLab's decoder).

ASPP on deep features, then fusion with shallower ones, from coarse to fine.
"""

import dataclasses

from keras import ops

from deeplab2.heads.prediction_head import ConvBlock
from deeplab2.layers.aspp import ASPP
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import ConvNorm
from deeplab2.layers.resize import resize_align_corners


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderOptions:
  """Plain values of the decoder.

  Attributes:
    channels: of its output.
    aspp_channels, atrous_rates, aspp_only_projection, pool_size: see `ASPP`.
    low_level_channels: of the projection of each shallower feature, the
      coarsest first.
    kind: of its convolutions, a key of `layers.convolution.CONVOLUTIONS`.
  """

  channels: int = 256
  aspp_channels: int = 256
  atrous_rates: tuple[int, ...] = (6, 12, 18)
  aspp_only_projection: bool = False
  pool_size: tuple[int, int] | None = None
  low_level_channels: tuple[int, ...] = (64, 32)
  kind: str = "depthwise_separable_conv"


class SemanticDecoder(Composite):
  """Deep features and a list of shallower ones to the size of the last."""

  def __init__(self, options: DecoderOptions, norm: NormOptions, **kwargs):
    super().__init__(**kwargs)
    self.levels = len(options.low_level_channels)
    self.aspp = ASPP(
      options.aspp_channels,
      options.atrous_rates,
      norm,
      pool_size=options.pool_size,
      only_projection=options.aspp_only_projection,
    )
    for i, channels in enumerate(options.low_level_channels, start=1):
      setattr(self, f"low_level_conv{i}", ConvNorm(channels, 1, norm))
      fusion = ConvBlock(options.kind, options.channels, norm)
      setattr(self, f"fusion_conv{i}", fusion)

  def call(self, deep, shallow, training=False, seed=None):
    """b h w c and a list of such, rectified, to b h' w' channels."""
    x = self.aspp(deep, training=training, seed=seed)
    for i in range(1, self.levels + 1):
      detail = getattr(self, f"low_level_conv{i}")(
        shallow[i - 1], training=training
      )
      x = resize_align_corners(x, ops.shape(detail)[1:3])
      x = ops.concatenate([x, detail], axis=-1)
      x = getattr(self, f"fusion_conv{i}")(x, training=training)
    return x
