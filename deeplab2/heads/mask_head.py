"""Masks and classes of mask slots (MaX-DeepLab, section 3.3)."""

import math

import keras
from keras import ops

from deeplab2.heads.prediction_head import PredictionHead
from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import SequenceConvNorm

VOID_PRIOR = 0.9  # probability of "no object" of a new network


def void_offset(num_channels: int) -> float:
  """What is added to the void logit, of `num_channels`, to give that prior.

  A constant, in training and ever after: trained weights depend on it.
  """
  return math.log((num_channels - 1) * VOID_PRIOR / (1 - VOID_PRIOR))


class ClassHead(Composite):
  """Class logits of each slot, float32; void is the last channel."""

  def __init__(self, num_channels: int, **kwargs):
    super().__init__(**kwargs)
    self.num_channels = num_channels
    self.conv = keras.layers.Conv1D(
      num_channels,
      1,
      kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.01),
      dtype="float32",
    )

  def call(self, x):  # b n d -> b n c
    is_void = ops.arange(self.num_channels) == self.num_channels - 1
    offset = void_offset(self.num_channels) * ops.cast(is_void, "float32")
    return self.conv(x) + offset


class MaskHead(Composite):
  """Pixel features, and how well each fits each slot's mask kernel.

  All of its results are float32.
  """

  def __init__(
    self,
    embedding: int,
    filters: int,
    num_channels: int,
    norm: NormOptions,
    *,
    kind: str = "depthwise_separable_conv",
    initial_scale: float = 0.1,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.pixel_space_head = PredictionHead(embedding, filters, norm, kind=kind)
    self.transformer_mask_head = SequenceConvNorm(
      embedding, norm, relu=False, dtype="float32"
    )
    self.transformer_class_head = ClassHead(num_channels)
    self.pixel_space_feature_batch_norm = BatchNorm(norm, dtype="float32")
    # One gamma and one beta for all slots, so that none is set apart.
    self.pixel_space_mask_batch_norm = BatchNorm(
      norm,
      gamma_initializer=keras.initializers.Constant(initial_scale),
      dtype="float32",
    )

  def call(self, pixels, class_feature, mask_feature, training=False):
    """b h w d, b n d, b n d to logits b h w n, b n c and features b h w e."""
    feature = self.pixel_space_head(pixels, training=training)
    feature = self.pixel_space_feature_batch_norm(feature, training=training)
    feature = unit_length(feature)
    kernel = self.transformer_mask_head(mask_feature, training=training)
    masks = ops.einsum("bhwd,bnd->bhwn", feature, kernel)
    masks = self.pixel_space_mask_batch_norm(
      ops.expand_dims(masks, -1), training=training
    )
    classes = self.transformer_class_head(class_feature)
    return ops.squeeze(masks, -1), classes, feature


def unit_length(x):
  """Scales the last axis to Euclidean length one; zero stays zero."""
  square = ops.sum(ops.square(x), axis=-1, keepdims=True)
  return x * ops.rsqrt(ops.maximum(square, 1e-12))
