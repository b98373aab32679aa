"""From "which slot has this pixel" to panoptic ids, small segments left out.

Everything is decided a slot, never a pixel: pixels are counted once, the rest
works on tables of n slots, and one look-up a pixel gives the map.

Letters: b batch, H W height and width, n slots.
"""

import tensorflow as tf

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
  area = count_pixels(slot, kept, tf.shape(channel)[1])
  alike = tf.cast(channel[:, :, None] == channel[:, None, :], tf.int32)
  class_area = tf.reduce_sum(alike * area[:, None, :], axis=2)
  thing = channel < len(layout.thing_ids)
  large = tf.where(thing, area >= thing_area, class_area >= stuff_area)
  instance = tf.where(thing, tf.range(1, tf.shape(channel)[1] + 1), 0)
  ids = layout.codec.encode(tf.gather(layout.class_ids, channel), instance)
  void = layout.codec.encode(layout.ignore_label, 0)
  ids = tf.where(large, ids, void)
  return tf.where(kept, tf.gather(ids, slot, batch_dims=1), void)


def count_pixels(slot, kept, num_slots):
  """How many kept pixels each slot has: b H W, b H W -> b n  int32."""
  batch = tf.shape(slot)[0]
  first = (tf.range(batch) * num_slots)[:, None, None]
  counts = tf.math.unsorted_segment_sum(
    tf.cast(kept, tf.int32), slot + first, batch * num_slots
  )
  return tf.reshape(counts, (batch, num_slots))
