"""From "which slot has this pixel" to panoptic ids, small segments left out.

Everything is decided a slot, never a pixel: pixels are counted once, the rest
works on tables of n slots, and one look-up a pixel gives the map.

Letters: b batch, H W height and width, n slots.
"""

import keras
from keras import ops

from deeplab2.postprocess.slots import (
  class_ids_of_slots,
  look_up,
  places_in_batch,
)
from deeplab2.structures import ClassLayout


def panoptic_from_slots(
  slot, kept, channel, layout: ClassLayout, thing_area, stuff_area
):
  """Panoptic ids; void where not kept, and where a segment is too small.

  A thing's segment is its slot, and gets instance id slot + 1. A stuff class
  is one segment, whatever slots it comes from, and gets instance id 0.

  Args:
    slot: b H W  int32, the slot of each pixel.
    kept: b H W  bool, whether the pixel counts.
    channel: b n  int32, the class of each slot as a channel of the logits.
    layout: says which dataset class a channel is.
    thing_area: pixels a thing needs at least.
    stuff_area: pixels a stuff class needs at least, all its slots together.

  Returns:
    b H W  int32.
  """
  num_slots = ops.shape(channel)[1]
  slot = ops.where(kept, slot, num_slots)  # one more, which shows void
  area = count_pixels(slot, num_slots + 1)[:, :-1]
  alike = ops.expand_dims(channel, 2) == ops.expand_dims(channel, 1)  # b n n
  class_area = ops.sum(ops.where(alike, ops.expand_dims(area, 1), 0), axis=2)
  thing = channel < len(layout.thing_ids)
  large = ops.where(thing, area >= thing_area, class_area >= stuff_area)
  instance = ops.where(thing, ops.arange(1, num_slots + 1, dtype="int32"), 0)
  ids = layout.codec.encode(class_ids_of_slots(channel, layout), instance)
  void = layout.codec.encode(layout.ignore_label, 0)
  ids = ops.pad(
    ops.where(large, ids, void), ((0, 0), (0, 1)), constant_values=void
  )
  return look_up(ids, slot)


def count_pixels(slot, num_slots):
  """How many pixels each slot has: b H W -> b n  int32."""
  batch = ops.shape(slot)[0]
  places = ops.reshape(places_in_batch(slot, num_slots), (-1,))
  counts = _counted(places, batch * num_slots)
  return ops.reshape(counts, (batch, num_slots))


def _counted(values, size):
  """How many of some values are 0, 1, ... size - 1: k -> size  int32."""
  if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Each thread counts a part of the pixels, where the sum of segments lets
    # each look at all of them for its own segments.
    return tf.raw_ops.DenseBincount(
      input=values, size=size, weights=tf.constant([], tf.int32)
    )
  return ops.segment_sum(ops.ones_like(values), values, num_segments=size)
