"""Dual-path transformer: pixels and memory attend to each other.

Wang et al., "MaX-DeepLab", CVPR 2021, section 3.2. Memory attends to pixels and
to itself in one softmax (M2P, M2M); pixels attend to memory (P2M). Attention
among pixels is the residual block in front. Letters: b batch, n memory slots
(mask slots), p pixels, c channels.
"""

import keras
from keras import ops

from deeplab2.layers.attention_operation import AttentionOperation
from deeplab2.layers.axial_attention import check_heads
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import SequenceConvNorm
from deeplab2.layers.drop_path import scale_samples
from deeplab2.layers.precision import precision_of_layers
from deeplab2.layers.shared_relu import relu_of_shared

HEADS = 8
NUM_DROP_PATHS = 3  # pixel feedback, memory attention, memory feed-forward


class DualPathTransformer(Composite):
  """One exchange between the pixel path and the memory path.

  Args:
    width: channels of keys; bottleneck and values have twice as many.
    ffn_channels: hidden channels of the memory's feed-forward network.
  """

  def __init__(
    self, width: int, ffn_channels: int, norm: NormOptions, **kwargs
  ):
    super().__init__(**kwargs)
    check_heads("transformer width", width, HEADS)
    self.key_depth, self.value_depth = width, 2 * width
    self.ffn_channels = ffn_channels
    self.norm = norm
    bottleneck = 2 * width
    projection = dict(
      relu=False,
      kernel_initializer=keras.initializers.TruncatedNormal(
        stddev=bottleneck**-0.5
      ),
    )
    qkv_depth = 2 * self.key_depth + self.value_depth
    self.memory_conv1_bn_act = SequenceConvNorm(bottleneck, norm)
    self.pixel_conv1_bn_act = SequenceConvNorm(bottleneck, norm)
    self.memory_qkv_conv_bn = SequenceConvNorm(qkv_depth, norm, **projection)
    self.pixel_qkv_conv_bn = SequenceConvNorm(qkv_depth, norm, **projection)
    values = HEADS, self.value_depth
    self.memory_attention = AttentionOperation(*values, norm)
    self.pixel_attention = AttentionOperation(*values, norm)

  def build(self, pixels_shape, memory_shape):
    end = dict(relu=False, gamma_initializer="zeros")
    memory_channels = memory_shape[-1]
    with precision_of_layers(self.dtype_policy.name):
      self.memory_conv3_bn = SequenceConvNorm(memory_channels, self.norm, **end)
      self.memory_ffn_conv1_bn_act = SequenceConvNorm(
        self.ffn_channels, self.norm
      )
      self.memory_ffn_conv2_bn = SequenceConvNorm(
        memory_channels, self.norm, **end
      )
      self.pixel_conv3_bn = SequenceConvNorm(pixels_shape[-1], self.norm, **end)

  def call(self, pixels, memory, keep=None, training=False):
    """Pixels b h w c, not rectified, and memory b n c, to the same.

    `keep` holds a factor for each of the three drop paths and each sample,
    [3, b], or is None.
    """
    keep = (None,) * NUM_DROP_PATHS if keep is None else keep
    _, height, width, channels = ops.shape(pixels)
    sequence = ops.reshape(pixels, (-1, height * width, channels))
    pixel_qkv = self._pixel_qkv(sequence, training)
    memory_qkv = self._memory_qkv(memory, training)
    sequence = sequence + scale_samples(
      self._read_memory(pixel_qkv, memory_qkv, training), keep[0]
    )
    memory = ops.relu(
      memory
      + scale_samples(self._read_all(pixel_qkv, memory_qkv, training), keep[1])
    )
    memory = ops.relu(
      memory + scale_samples(self._feed_forward(memory, training), keep[2])
    )
    return ops.reshape(sequence, (-1, height, width, channels)), memory

  def _pixel_qkv(self, sequence, training):
    x = relu_of_shared(sequence, training)
    x = self.pixel_conv1_bn_act(x, training=training)
    return self._heads(self.pixel_qkv_conv_bn(x, training=training))

  def _memory_qkv(self, memory, training):
    x = self.memory_conv1_bn_act(memory, training=training)
    return self._heads(self.memory_qkv_conv_bn(x, training=training))

  def _heads(self, qkv):
    """b l (2k + v) to query, key and value, b l heads depth each."""
    length = ops.shape(qkv)[1]
    parts = ops.split(qkv, [self.key_depth, 2 * self.key_depth], axis=-1)
    return [
      ops.reshape(part, (-1, length, HEADS, part.shape[-1] // HEADS))
      for part in parts
    ]

  def _read_memory(self, pixel_qkv, memory_qkv, training):
    """What pixels retrieve from the memory as it came in (P2M)."""
    query, (_, key, value) = pixel_qkv[0], memory_qkv
    x = self.pixel_attention(query, key, value, training=training)
    return self.pixel_conv3_bn(x, training=training)

  def _read_all(self, pixel_qkv, memory_qkv, training):
    """What memory retrieves from pixels and memory (M2P with M2M)."""
    key = ops.concatenate([pixel_qkv[1], memory_qkv[1]], axis=1)
    value = ops.concatenate([pixel_qkv[2], memory_qkv[2]], axis=1)
    x = self.memory_attention(memory_qkv[0], key, value, training=training)
    return self.memory_conv3_bn(x, training=training)

  def _feed_forward(self, memory, training):
    x = self.memory_ffn_conv1_bn_act(memory, training=training)
    return self.memory_ffn_conv2_bn(x, training=training)
