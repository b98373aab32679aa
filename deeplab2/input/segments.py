"""The segments of a panoptic map: what is cheap to compute once an object.

Whatever depends on the id alone is computed a segment and then spread over the
pixels; only finding the segments looks at every pixel.
"""

from typing import NamedTuple

import tensorflow as tf

from deeplab2.structures import ClassLayout


class Segments(NamedTuple):
  """The distinct ids of one map, s of them, in order of first appearance.

  Rows are scanned from the top, pixels from the left.
  """

  ids: tf.Tensor  # s  int32 panoptic ids
  area: tf.Tensor  # s  int32 pixels
  index: tf.Tensor  # h w  int32 in 0..s-1; the segment of a pixel

  def spread(self, values: tf.Tensor) -> tf.Tensor:
    """One value a segment to one a pixel.  s -> h w"""
    return tf.gather(values, self.index)

  def strided(self, stride: int) -> "Segments":
    """The same segments and areas, with every `stride`-th pixel of the map."""
    return self._replace(index=self.index[::stride, ::stride])


def find_segments(panoptic: tf.Tensor) -> Segments:
  """Segments of a map.  h w"""
  ids, index, area = tf.unique_with_counts(tf.reshape(panoptic, [-1]))
  return Segments(ids, area, tf.reshape(index, tf.shape(panoptic)))


def is_one_of(
  values: tf.Tensor, choices: tf.Tensor | tuple[int, ...]
) -> tf.Tensor:
  """Whether each value is among the choices.  s -> s  bool"""
  choices = tf.convert_to_tensor(choices, values.dtype)
  return tf.reduce_any(values[:, None] == choices, axis=1)


def is_instance(ids: tf.Tensor, layout: ClassLayout) -> tf.Tensor:
  """Whether a panoptic id is one countable thing.  s -> s  bool

  Instance 0 of a thing class is a crowd, and not countable.
  """
  semantic, instance = layout.codec.decode(ids)
  return is_one_of(semantic, layout.thing_ids) & (instance > 0)


def is_crowd(ids: tf.Tensor, layout: ClassLayout) -> tf.Tensor:
  """Whether a panoptic id is things not told apart.  s -> s  bool"""
  semantic, instance = layout.codec.decode(ids)
  return is_one_of(semantic, layout.thing_ids) & (instance == 0)


def void_id(layout: ClassLayout) -> int:
  """The panoptic id of all that is void."""
  return layout.codec.encode(layout.ignore_label, 0)
