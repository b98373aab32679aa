"""More weight in the semantic loss for the pixels of small instances."""

import dataclasses

import tensorflow as tf

from deeplab2.input.segments import Segments, is_instance
from deeplab2.structures import ClassLayout


@dataclasses.dataclass(frozen=True)
class SmallInstances:
  """Instances of fewer than `area` pixels of the crop weigh `weight`."""

  area: int = 0
  weight: float = 1.0


def semantic_weights(
  segments: Segments, layout: ClassLayout, small: SmallInstances
) -> tf.Tensor:
  """Factor on the semantic loss, a segment: `small.weight` or 1.  s  float32"""
  is_small = is_instance(segments.ids, layout) & (segments.area < small.area)
  return tf.where(is_small, small.weight, 1.0)
