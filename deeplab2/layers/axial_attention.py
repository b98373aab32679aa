"""Axial attention: self-attention along one axis, then along the other.

Wang et al., "Axial-DeepLab", ECCV 2020, section 3. Letters: b batch, h w height
and width, n heads, s sequences (rows or columns of all images), l query and m
key positions in one, r distances between the two, d channels of a head.
"""

from typing import NamedTuple

import keras
from keras import ops

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.pointwise import pointwise
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


class _Factors(NamedTuple):
  """A layer's weights with its normalizations by moving averages in them.

  Queries bring the factor of their products with keys along, which that of
  their products with positions undoes. Values bring theirs, and the shifts of
  all that is retrieved: the weights of all keys add up to one. Shifts of logits
  are the same for all keys: a softmax does not see them.
  """

  projections: tuple  # of queries, keys and values: kernel c d and bias d each
  positions: tuple  # n 1 1, n 1 1 and n 1 d, of `AxialAttention._vectors`


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
    self.batch_norm_similarity = BatchNorm(
      norm, axes=(0, 1), parameter_shape=(3, 1, heads, 1, 1), dtype="float32"
    )
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
      autocast=False,
    )
    self.batch_norm_qkv.build((None, depth))
    self.batch_norm_similarity.build((3, self.heads, None, None, None))
    self.batch_norm_retrieved_output.build((None, 2 * self.value_depth))

  def call(self, x, training=False):  # b h w c -> b h w value_depth
    norms = (
      self.batch_norm_qkv,
      self.batch_norm_similarity,
      self.batch_norm_retrieved_output,
    )
    if any(norm.uses_batch(training) for norm in norms):
      return self._attend_normalizing(x, training)
    return self._attend(x, settled(self._factors))

  def _attend_normalizing(self, x, training):
    """As the paper has it."""
    size = ops.shape(x)[1:3]
    qkv = pointwise(x, self._rounded(self.qkv_kernel))
    qkv = self.batch_norm_qkv(qkv, training=training)
    query, key, value = self._to_sequences(qkv, size)
    by_query, by_key, of_value = map(self._rounded, self._vectors(size))
    positions = _by_position(query, key, by_query, by_key)
    terms = _products(query, key), *positions
    logits = self.batch_norm_similarity(ops.stack(terms), training=training)
    weights = self._rounded(ops.softmax(ops.sum(logits, axis=0)))
    terms = _retrieved(weights, value, of_value)
    y = ops.concatenate([self._from_sequences(y, size) for y in terms], axis=-1)
    y = self.batch_norm_retrieved_output(y, training=training)
    return ops.add(*ops.split(y, 2, axis=-1))

  def _attend(self, x, factors: _Factors):
    """The same, with what needs no batch multiplied beforehand."""
    size = ops.shape(x)[1:3]
    # One product for all three would have to be split, which takes longer.
    query, key, value = (
      self._part_to_sequences(pointwise(x, kernel, bias), size)
      for kernel, bias in factors.projections
    )
    by_query, by_key, of_value = self._scaled_vectors(size, factors.positions)
    terms = _products(query, key), *_by_position(query, key, by_query, by_key)
    contents, queries, keys = (ops.cast(term, "float32") for term in terms)
    logits = contents + queries + keys
    weights = self._rounded(ops.softmax(logits))
    values, positions = _retrieved(weights, value, of_value)
    return self._from_sequences(values + positions, size)

  def _factors(self) -> _Factors:
    kernel, bias = self.batch_norm_qkv.folded_into(self.qkv_kernel, "float32")
    scale, shift = self.batch_norm_retrieved_output.scale_and_shift()
    scale = ops.reshape(scale, (2, self.heads, 1, -1))
    shift = ops.sum(ops.reshape(shift, (2, -1)), axis=0)
    of_logits, _ = self.batch_norm_similarity.scale_and_shift()
    of_logits = ops.reshape(of_logits, (3, self.heads, 1, 1))
    contents = _not_zero(of_logits[0])
    of_query = ops.tile(contents[:, 0], (1, self.key_depth // self.heads))
    columns = ops.concatenate(
      [
        ops.reshape(of_query, (-1,)),
        ops.ones(self.key_depth),
        ops.reshape(scale[0], (-1,)),
      ]
    )
    shift = ops.concatenate([ops.zeros(2 * self.key_depth), shift])
    kernels = self._parts(self._rounded(kernel * columns))
    biases = self._parts(self._rounded(bias * columns + shift))
    return _Factors(
      projections=tuple(zip(kernels, biases, strict=True)),
      positions=(of_logits[1] / contents, of_logits[2], scale[1]),
    )

  def _vectors(self, size):
    """Of the distances: for queries and keys, d r, and for values, r d."""
    length = size[self.axis - 1]
    return (
      ops.transpose(self.query_rpe(length=length)),
      ops.transpose(self.key_rpe(length=length, backwards=True)),
      self.value_rpe(length=length),
    )

  def _scaled_vectors(self, size, factors):
    """The same times a factor each; settled where the length is known."""

    def scaled():
      return [
        self._rounded(vectors * factor)
        for vectors, factor in zip(self._vectors(size), factors, strict=True)
      ]

    known = isinstance(size[self.axis - 1], int)
    return settled(scaled) if known else scaled()

  def _rounded(self, x):
    return ops.cast(x, self.compute_dtype)

  def _parts(self, qkv):
    """... (q k v) to queries, keys and values."""
    return ops.split(qkv, [self.key_depth, 2 * self.key_depth], axis=-1)

  def _to_sequences(self, qkv, size):
    """b h w (q k v) to queries, keys and values, n s l d each."""
    return [self._part_to_sequences(part, size) for part in self._parts(qkv)]

  def _part_to_sequences(self, x, size):
    depth = x.shape[-1] // self.heads
    x = ops.reshape(x, (-1, *size, self.heads, depth))
    order = (3, 0, 2, 1, 4) if self.axis == HEIGHT else (3, 0, 1, 2, 4)
    length = size[self.axis - 1]
    return ops.reshape(ops.transpose(x, order), (self.heads, -1, length, depth))

  def _from_sequences(self, y, size):
    """n s l d to b h w (n d)."""
    height, width = size
    shape = (width, height) if self.axis == HEIGHT else (height, width)
    y = ops.reshape(y, (self.heads, -1, *shape, y.shape[-1]))
    order = (1, 3, 2, 0, 4) if self.axis == HEIGHT else (1, 2, 3, 0, 4)
    return ops.reshape(
      ops.transpose(y, order), (-1, height, width, self.value_depth)
    )


def _not_zero(factor):
  """The factor, or a number to divide by that is as good as zero elsewhere."""
  return ops.where(ops.abs(factor) < 1e-30, 1e-30, factor)


def _products(query, key):
  """n s l d and n s m d to n s l m."""
  return ops.matmul(query, ops.swapaxes(key, -1, -2))


def _by_position(query, key, by_query, by_key):
  """Logits of queries with positions, and of keys with positions, n s l m each.

  Args:
    query, key: n s l d.
    by_query, by_key: vectors of the distances, d r or n d r; those of keys
      run backwards.
  """
  of_keys = over_keys(_rows_times(key, by_key))
  return (
    over_keys(_rows_times(query, by_query)),
    ops.swapaxes(of_keys, -1, -2),
  )


def _retrieved(weights, value, of_value):
  """What queries find at the keys that answer: values and positions, n s l d.

  Args:
    weights: n s l m.
    value: n s m d.
    of_value: vectors of the distances, r d or n r d.
  """
  return (
    ops.matmul(weights, value),
    _rows_times(over_distances(weights), of_value),
  )


def _rows_times(x, matrix):
  """n s l k times k j, or n k j, to n s l j: one product a head."""
  heads, _, length, inner = ops.shape(x)
  rows = ops.reshape(x, (heads, -1, inner))
  return ops.reshape(
    ops.matmul(rows, matrix), (heads, -1, length, ops.shape(matrix)[-1])
  )


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
