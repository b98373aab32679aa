"""Axial attention: self-attention along one axis, then along the other.

Wang et al., "Axial-DeepLab", ECCV 2020, section 3. Letters: b batch, l query
and m key positions on the axis, n heads, d channels of a head, t terms.
"""

import keras
from keras import ops

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.relative_position import RelativePosition


def check_heads(name: str, depth: int, heads: int):
  """Raises ValueError unless `depth` channels can be split over the heads."""
  if depth % heads or depth < heads:
    raise ValueError(
      f"{name}: expected a multiple of the {heads} heads, such as "
      f"{heads * 16}; got {depth}. Change the width multiplier or expansion."
    )


class AxialAttention(Composite):
  """Position-sensitive multi-head self-attention over a sequence.

  Three kinds of logits (query with key, query with position, key with
  position) are normalized apart and summed; there is no scaling by depth. What
  is retrieved, values and their positions, is normalized and summed likewise.
  """

  def __init__(
    self,
    key_depth: int,
    value_depth: int,
    norm: NormOptions,
    *,
    heads: int = 8,
    **kwargs,
  ):
    super().__init__(**kwargs)
    check_heads("axial attention key depth", key_depth, heads)
    check_heads("axial attention value depth", value_depth, heads)
    self.key_depth = key_depth
    self.value_depth = value_depth
    self.heads = heads
    self.query_rpe = RelativePosition(key_depth // heads)
    self.key_rpe = RelativePosition(key_depth // heads)
    self.value_rpe = RelativePosition(value_depth // heads)
    self.batch_norm_qkv = BatchNorm(norm)
    self.batch_norm_similarity = BatchNorm(norm, axes=(0, 2), dtype="float32")
    self.batch_norm_retrieved_output = BatchNorm(norm, axes=(0, 2, 4))

  def build(self, input_shape):
    channels = input_shape[-1]
    self.qkv_kernel = self.add_weight(
      name="qkv_kernel",
      shape=(channels, 2 * self.key_depth + self.value_depth),
      initializer=keras.initializers.TruncatedNormal(stddev=channels**-0.5),
    )

  def call(self, x, training=False):  # b l c -> b l value_depth
    length = ops.shape(x)[1]
    query, key, value = self._project(x, length, training)
    logits = ops.stack(
      [
        ops.einsum("blnd,bmnd->bnlm", query, key),
        ops.einsum("blnd,lmd->bnlm", query, self.query_rpe(length=length)),
        ops.einsum("bmnd,lmd->bnlm", key, self.key_rpe(length=length)),
      ]
    )
    logits = self.batch_norm_similarity(logits, training=training)  # t b n l m
    weights = ops.softmax(ops.sum(logits, axis=0))
    weights = ops.cast(weights, self.compute_dtype)
    retrieved = ops.stack(
      [
        ops.einsum("bnlm,bmnd->bnld", weights, value),
        ops.einsum("bnlm,lmd->bnld", weights, self.value_rpe(length=length)),
      ]
    )
    retrieved = self.batch_norm_retrieved_output(retrieved, training=training)
    y = ops.transpose(ops.sum(retrieved, axis=0), (0, 2, 1, 3))
    return ops.reshape(y, (-1, length, self.value_depth))

  def _project(self, x, length, training):
    """Query, key and value of each position, b l n d each."""
    # One product of two matrices; broadcasting the kernel takes twice as long.
    flat = ops.reshape(x, (-1, x.shape[-1]))
    qkv = ops.matmul(flat, self.qkv_kernel)
    qkv = self.batch_norm_qkv(qkv, training=training)
    parts = ops.split(qkv, [self.key_depth, 2 * self.key_depth], axis=-1)
    return [
      ops.reshape(part, (-1, length, self.heads, part.shape[-1] // self.heads))
      for part in parts
    ]


class AxialAttention2D(Composite):
  """Attention along the height, then along the width."""

  def __init__(
    self, key_depth: int, value_depth: int, norm: NormOptions, **kwargs
  ):
    super().__init__(**kwargs)
    self.height_axis = AxialAttention(key_depth, value_depth, norm)
    self.width_axis = AxialAttention(key_depth, value_depth, norm)

  def call(self, x, training=False):  # b h w c -> b h w value_depth
    x = ops.transpose(x, (0, 2, 1, 3))
    x = _along_last_axis(self.height_axis, x, training)
    x = ops.transpose(x, (0, 2, 1, 3))
    return _along_last_axis(self.width_axis, x, training)


def _along_last_axis(attention, x, training):
  """Applies sequence attention along the third of the axes b r l c."""
  _, rows, length, channels = ops.shape(x)
  y = attention(ops.reshape(x, (-1, length, channels)), training=training)
  return ops.reshape(y, (-1, rows, length, y.shape[-1]))
