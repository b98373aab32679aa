"""Consecutive numbers for the things of an image, and their classes."""

from typing import NamedTuple

import tensorflow as tf

from deeplab2.input.segments import Segments, is_instance
from deeplab2.structures import ClassLayout


class NumberedThings(NamedTuple):
  """Things 0, 1, 2 ... in order of first appearance, from the top left."""

  number: tf.Tensor  # s  int32; -1 for a segment that is no counted thing
  classes: tf.Tensor  # max_things  int32 class of each number; -1 where unused


def number_things(
  segments: Segments, layout: ClassLayout, max_things: int
) -> NumberedThings:
  """Numbers the instances; crowds, stuff and void get none.

  Of more than `max_things` instances only the largest are counted. The others
  are then like a crowd to the losses over masks: their pixels keep their class
  and belong to no mask. (The original stops the training at such an image.)
  """
  counted = _largest(
    is_instance(segments.ids, layout), segments.area, max_things
  )
  number = tf.where(counted, tf.cumsum(tf.cast(counted, tf.int32)) - 1, -1)
  semantic, _ = layout.codec.decode(segments.ids)
  classes = tf.boolean_mask(semantic, counted)
  unused = max_things - tf.size(classes)
  classes = tf.pad(classes, [[0, unused]], constant_values=-1)
  return NumberedThings(number, tf.ensure_shape(classes, [max_things]))


def _largest(candidates: tf.Tensor, area: tf.Tensor, limit: int) -> tf.Tensor:
  """The `limit` candidates of largest area; of equals the first.  s  bool"""
  area = tf.where(candidates, area, 0)
  order = tf.argsort(area, direction="DESCENDING", stable=True)
  rank = tf.argsort(order)
  return candidates & (rank < limit)
