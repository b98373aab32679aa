"""Axial attention: self-attention along one axis, then along the other.

Wang et al., "Axial-DeepLab", ECCV 2020, section 3. Letters: b batch, h w height
and width, s sequences (rows or columns of all images), l query and m key
positions in one, r distances between the two, n heads, d channels of a head,
t terms.
"""

import keras
from keras import ops

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.relative_position import (
  RelativePosition,
  over_distances,
  over_keys,
)
from deeplab2.layers.settled import settled

HEIGHT, WIDTH = 1, 2  # axes of b h w c


def check_heads(name: str, depth: int, heads: int):
  """Raises ValueError unless `depth` channels can be split over the heads."""
  if depth % heads or depth < heads:
    raise ValueError(
      f"{name}: expected a multiple of the {heads} heads, such as "
      f"{heads * 16}; got {depth}. Change the width multiplier or expansion."
    )


class AxialAttention(Composite):
  """Position-sensitive multi-head self-attention along one axis of an image.

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
    axis: int,
    heads: int = 8,
    **kwargs,
  ):
    """`axis` is HEIGHT or WIDTH."""
    super().__init__(**kwargs)
    check_heads("axial attention key depth", key_depth, heads)
    check_heads("axial attention value depth", value_depth, heads)
    self.key_depth = key_depth
    self.value_depth = value_depth
    self.axis = axis
    self.heads = heads
    self.query_rpe = RelativePosition(key_depth // heads)
    self.key_rpe = RelativePosition(key_depth // heads)
    self.value_rpe = RelativePosition(value_depth // heads)
    self.batch_norm_qkv = BatchNorm(norm)
    self.batch_norm_similarity = BatchNorm(norm, axes=(0, 2), dtype="float32")
    self.batch_norm_retrieved_output = BatchNorm(
      norm, parameter_shape=(2, 1, heads, 1, value_depth // heads)
    )

  def build(self, input_shape):
    channels = input_shape[-1]
    depth = 2 * self.key_depth + self.value_depth
    self.qkv_kernel = self.add_weight(
      name="qkv_kernel",
      shape=(channels, depth),
      initializer=keras.initializers.TruncatedNormal(stddev=channels**-0.5),
    )
    self.batch_norm_qkv.build((None, depth))
    self.batch_norm_similarity.build((3, None, self.heads, None, None))
    self.batch_norm_retrieved_output.build((None, 2 * self.value_depth))

  def call(self, x, training=False):  # b h w c -> b h w value_depth
    size = ops.shape(x)[1:3]
    length = size[self.axis - 1]
    query, key, value = [
      self._to_sequences(part, size) for part in self._qkv(x, training)
    ]
    logits = self._logits(query, key, length, training)
    weights = ops.cast(ops.softmax(logits), self.compute_dtype)
    y = self._retrieve(weights, value, length, training)
    return self._from_sequences(y, size)

  def _qkv(self, x, training):
    """Query, key and value of each position, (b h w) (n d) each."""
    # One product of two matrices; broadcasting the kernel takes twice as long.
    flat = ops.reshape(x, (-1, x.shape[-1]))
    norm = self.batch_norm_qkv
    if norm.uses_batch(training):
      qkv = norm(ops.matmul(flat, self.qkv_kernel), training=training)
    else:
      kernel, bias = settled(
        lambda: norm.folded_into(self.qkv_kernel, self.compute_dtype)
      )
      qkv = ops.matmul(flat, kernel) + bias
    return ops.split(qkv, [self.key_depth, 2 * self.key_depth], axis=-1)

  def _logits(self, query, key, length, training):
    """How well each key answers each query, s n l m, float32."""
    by_query = ops.einsum("snld,rd->snlr", query, self.query_rpe(length=length))
    by_key = ops.einsum(
      "snmd,rd->snmr", key, self.key_rpe(length=length, backwards=True)
    )
    terms = [
      ops.einsum("snld,snmd->snlm", query, key),
      over_keys(by_query, length),
      ops.transpose(over_keys(by_key, length), (0, 1, 3, 2)),
    ]
    norm = self.batch_norm_similarity
    if norm.uses_batch(training):
      return ops.sum(norm(ops.stack(terms), training=training), axis=0)
    return weighted_sum(terms, *norm.scale_and_shift())

  def _retrieve(self, weights, value, length, training):
    """What queries find at the keys that answer, s l (n d)."""
    distances = over_distances(weights, length)
    terms = [
      ops.einsum("snlm,snmd->slnd", weights, value),
      ops.einsum("snlr,rd->slnd", distances, self.value_rpe(length=length)),
    ]
    terms = [ops.reshape(x, (-1, length, self.value_depth)) for x in terms]
    norm = self.batch_norm_retrieved_output
    if norm.uses_batch(training):
      y = norm(ops.concatenate(terms, axis=-1), training=training)
      return y[..., : self.value_depth] + y[..., self.value_depth :]
    scale, shift = norm.scale_and_shift()
    flat = (2, self.value_depth)
    y = weighted_sum(terms, ops.reshape(scale, flat), ops.reshape(shift, flat))
    return ops.cast(y, self.compute_dtype)

  def _to_sequences(self, x, size):
    """(b h w) (n d) to s n l d."""
    x = ops.reshape(x, (-1, *size, self.heads, x.shape[-1] // self.heads))
    order = (0, 2, 3, 1, 4) if self.axis == HEIGHT else (0, 1, 3, 2, 4)
    length, depth = size[self.axis - 1], x.shape[-1]
    return ops.reshape(ops.transpose(x, order), (-1, self.heads, length, depth))

  def _from_sequences(self, y, size):
    """s l (n d) to b h w (n d)."""
    height, width = size
    if self.axis == WIDTH:
      return ops.reshape(y, (-1, height, width, self.value_depth))
    y = ops.reshape(y, (-1, width, height, self.value_depth))
    return ops.transpose(y, (0, 2, 1, 3))


def weighted_sum(terms, scale, shift):
  """The sum of `terms[t] * scale[t] + shift[t]` over all t, float32."""
  total = ops.sum(shift, axis=0)
  for i, term in enumerate(terms):
    total = total + ops.cast(term, "float32") * scale[i]
  return total


class AxialAttention2D(Composite):
  """Attention along the height, then along the width."""

  def __init__(
    self, key_depth: int, value_depth: int, norm: NormOptions, **kwargs
  ):
    super().__init__(**kwargs)
    depths = key_depth, value_depth
    self.height_axis = AxialAttention(*depths, norm, axis=HEIGHT)
    self.width_axis = AxialAttention(*depths, norm, axis=WIDTH)

  def call(self, x, training=False):  # b h w c -> b h w value_depth
    x = self.height_axis(x, training=training)
    return self.width_axis(x, training=training)
