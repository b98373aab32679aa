"""Reduces upsampled slot logits to maps, holding few of their rows at a time.

At full size the logits of one 1025 x 1025 image and 128 slots fill 538 MB, and
a softmax takes several times that. So they are widened to the full width once,
and then lengthened strip by strip; each strip shrinks to its maps right away.

Letters: b batch, h w height and width of the logits, H W of the image, r rows
of a strip, s strips, n slots.
"""

import tensorflow as tf

from deeplab2.layers.resize import resize_align_corners

# Values a strip may hold: 16 MB of float32. At 641 x 641 x 128 on two CPU cores
# that took 0.14 s, strips of 128 MB 0.28 s, everything at once 0.24 s.
STRIP_VALUES = 2**22


def reduce_upsampled(logits, size, reduce, types, strip_values=STRIP_VALUES):
  """Applies `reduce` to the logits at full size without ever holding them.

  Args:
    logits: b h w n  float32.
    size: H and W, Python integers or scalar int32 tensors.
    reduce: function of a strip, b r W n, to a NamedTuple of maps, b r W. Every
      pixel is reduced on its own, so the strips do not show.
    types: the same NamedTuple with the dtype of each map.
    strip_values: how many float32 values a strip may have.

  Returns:
    What `reduce` returns, with maps b H W.
  """
  height, width = size
  wide = resize_align_corners(logits, (length_of(logits, 1), width))  # b h W n
  rows = _rows_of_a_strip(wide, height, strip_values)

  def reduce_strip(start):
    here = tf.minimum(start + tf.range(rows), height - 1)
    return reduce(_lengthened_rows(wide, here, height))

  strips = tf.map_fn(
    reduce_strip,
    tf.range(0, height, rows),
    fn_output_signature=_signature(types, wide, rows),
    parallel_iterations=1,
  )
  return tf.nest.map_structure(lambda x: _joined(x)[:, :height], strips)


def length_of(tensor, axis):
  """A Python integer where the shape says so, else a scalar tensor."""
  static = tensor.shape[axis]
  return tf.shape(tensor)[axis] if static is None else static


def _rows_of_a_strip(wide, height, strip_values):
  """Rows that fit; a Python integer where all sizes are known, as XLA needs."""
  row_values = 1
  for axis in (0, 2, 3):
    row_values *= length_of(wide, axis)
  if isinstance(row_values, int) and isinstance(height, int):
    return min(height, max(1, strip_values // max(1, row_values)))
  fitting = strip_values // tf.maximum(row_values, 1)
  return tf.clip_by_value(fitting, 1, height)


def _lengthened_rows(wide, rows, height):
  """The rows `rows` of `wide` lengthened to `height`: b h W n -> b r W n."""
  last = length_of(wide, 1) - 1
  steps = tf.cast(tf.maximum(height - 1, 1), tf.float32)
  position = tf.cast(rows, tf.float32) * (tf.cast(last, tf.float32) / steps)
  above = tf.cast(tf.floor(position), tf.int32)
  part = (position - tf.floor(position))[:, None, None]
  upper = tf.gather(wide, above, axis=1)
  lower = tf.gather(wide, tf.minimum(above + 1, last), axis=1)
  return upper + (lower - upper) * part


def _signature(types, wide, rows):
  static_rows = rows if isinstance(rows, int) else None
  shape = (wide.shape[0], static_rows, wide.shape[2])
  return tf.nest.map_structure(lambda x: tf.TensorSpec(shape, x), types)


def _joined(strips):
  """Strips one below the other: s b r W -> b (s r) W."""
  shape = tf.shape(strips)
  in_order = tf.transpose(strips, (1, 0, 2, 3))
  return tf.reshape(in_order, (shape[1], shape[0] * shape[2], shape[3]))
