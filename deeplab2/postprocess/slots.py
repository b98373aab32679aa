"""What is known of slots, and looking it up for pixels.

Letters: b batch, h w height and width of the logits, H W of the image, n slots,
m some of them, c classes.
"""

import keras
from keras import ops

from deeplab2.structures import ClassLayout


def classes_of_slots(class_logits):
  """The likeliest class of each slot, void aside, and its probability.

  Args:
    class_logits: b n c, void last.

  Returns:
    The channel, b n int32, and its softmax among all channels, b n float32.
  """
  probability = ops.softmax(ops.cast(class_logits, "float32"), axis=-1)
  probability = probability[..., :-1]
  channel = ops.cast(ops.argmax(probability, axis=-1), "int32")
  return channel, ops.max(probability, axis=-1)


def class_ids_of_slots(channel, layout: ClassLayout):
  """Dataset class of each slot from its channel, b n -> b n  int32."""
  class_ids = ops.convert_to_tensor(layout.class_ids, dtype="int32")
  return ops.take(class_ids, channel, axis=0)


def semantic_of_pixels(slot, channel, layout: ClassLayout):
  """Dataset class of each pixel's slot: b H W, b n -> b H W."""
  return look_up(class_ids_of_slots(channel, layout), slot)


def look_up(table, slot):
  """What a table says of the slot of each pixel: b n, b H W -> b H W."""
  flat = ops.reshape(table, (-1,))
  place = places_in_batch(slot, ops.shape(table)[1])
  if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    return tf.gather(flat, place)  # `take` looks for negative ones first
  return ops.take(flat, place)


def places_in_batch(slot, num_slots):
  """Slots numbered through from image to image, b H W -> b H W  int32."""
  first = ops.arange(ops.shape(slot)[0], dtype="int32") * num_slots
  return slot + ops.reshape(first, (-1, 1, 1))


def logits_of_slots(logits, slots):
  """The logits of some slots of each image: b h w n, b m -> b h w m."""
  if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    return tf.gather(logits, slots, axis=3, batch_dims=1)
  return ops.take_along_axis(logits, slots[:, None, None, :], axis=3)


def top_slot(logits):
  """The largest logit of each pixel and its slot, the first of equals."""
  if keras.backend.backend() != "tensorflow":
    return ops.max(logits, -1), ops.cast(ops.argmax(logits, -1), "int32")
  value, slot = ops.top_k(logits, k=1)  # both at once
  return value[..., 0], slot[..., 0]


def top_probability(logits, top):
  """Softmax of the likeliest slot, whose logit is `top`: b r W n -> b r W."""
  return 1.0 / ops.sum(ops.exp(logits - top[..., None]), axis=-1)
