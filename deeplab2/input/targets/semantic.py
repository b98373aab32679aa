"""Semantic class, crowd and void of each segment."""

import tensorflow as tf

from deeplab2.input.segments import is_crowd, void_id
from deeplab2.structures import ClassLayout


def semantic_classes(ids: tf.Tensor, layout: ClassLayout) -> tf.Tensor:
  """Class id of each panoptic id; the ignore label where void.  s -> s  int32

  A crowd keeps its class: what it is made of is known.
  """
  semantic, _ = layout.codec.decode(ids)
  return semantic


def panoptic_truth(ids: tf.Tensor, layout: ClassLayout) -> tf.Tensor:
  """Panoptic ids with one id for all that is void, crowds among it.  s -> s"""
  void = semantic_classes(ids, layout) == layout.ignore_label
  return tf.where(void | is_crowd(ids, layout), void_id(layout), ids)
