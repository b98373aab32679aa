"""Reduces upsampled slot logits to maps, holding few of their rows at a time.

At full size the logits of one 1025 x 1025 image and 128 slots fill 538 MB, and
a softmax takes several times that. So they are upsampled strip by strip, and
each strip shrinks to its maps right away.

A strip of some rows of logits, upsampled, is a strip of the upsampled logits:
the corners of both lie on rows of the logits, as the ratio of sizes is whole.

Letters: b batch, h w height and width of the logits, H W of the image, r rows
of an upsampled strip, s strips, n slots.
"""

import keras
from keras import ops

from deeplab2.layers.resize import resize_align_corners

# Values an upsampled strip may hold: 8 MB of float32, which caches can hold.
STRIP_VALUES = 2**21


def reduce_upsampled(groups, size, reduce, types, strip_values=STRIP_VALUES):
  """Applies `reduce` to logits at full size without ever holding them.

  Args:
    groups: tuple of logits, b h w n float32, of alike images but any n.
    size: H and W, integers or scalar int32 tensors; H - 1 is a whole multiple
      of h - 1.
    reduce: function of a strip of each group, b r W n, to a NamedTuple of maps,
      b r W. Every pixel is reduced on its own, so the strips do not show.
    types: the same NamedTuple with the dtype of each map.
    strip_values: how many float32 values a strip may have.

  Returns:
    What `reduce` returns, with maps b H W.

  Raises:
    ValueError: the ratio of heights is not whole, where they are known.
  """
  height, width = size
  rows = ops.shape(groups[0])[1]
  ratio = _whole_ratio(rows, height)
  step = _even_step(
    rows, strip_values // _values_of_a_row(groups, ratio * width)
  )

  def reduce_strip(start):
    # One row more than a step: the corners below, which the next strip has too.
    here = ops.minimum(start + ops.arange(step + 1, dtype="int32"), rows - 1)
    strips = (
      resize_align_corners(
        ops.take(logits, here, axis=1), (step * ratio + 1, width)
      )
      for logits in groups
    )
    maps = reduce(*strips)
    return keras.tree.map_structure(lambda x: x[:, : step * ratio], maps)

  strips = _map(reduce_strip, ops.arange(0, rows, step, dtype="int32"), types)
  return keras.tree.map_structure(lambda x: _joined(x)[:, :height], strips)


def _whole_ratio(rows, height):
  """Rows of the image from one row of the logits to the next."""
  ratio = (height - 1) // _at_least_one(rows - 1)
  known = isinstance(rows, int) and isinstance(height, int)
  if known and ratio * (rows - 1) != height - 1:
    raise ValueError(
      f"size: expected a height of k * {rows - 1} + 1 for {rows} rows of "
      f"logits, such as {4 * (rows - 1) + 1}; got {height}."
    )
  return _at_least_one(ratio)


def _even_step(rows, fitting):
  """Rows of the logits a strip: about `fitting`, so that strips are alike."""
  strips = -(-rows // _at_least_one(fitting))
  return -(-rows // strips)


def _values_of_a_row(groups, width):
  """What all groups hold for a row of `width` of all images."""
  slots = sum(ops.shape(logits)[3] for logits in groups)
  return _at_least_one(ops.shape(groups[0])[0] * width * slots)


def _at_least_one(x):
  return max(x, 1) if isinstance(x, int) else ops.maximum(x, 1)


def _map(function, starts, types):
  """`function` of each start, stacked; few at a time, for the memory."""
  if keras.backend.backend() != "tensorflow":
    return ops.map(function, starts)
  import tensorflow as tf

  # `ops.map` would run ten at a time. Two, because some operations use one
  # thread only; outside of a graph TensorFlow warns that it cannot.
  return tf.map_fn(
    function,
    starts,
    fn_output_signature=types,
    parallel_iterations=1 if tf.executing_eagerly() else 2,
  )


def _joined(strips):
  """Strips one below the other: s b r W -> b (s r) W."""
  count, batch, rows, width = ops.shape(strips)
  in_order = ops.transpose(strips, (1, 0, 2, 3))
  return ops.reshape(in_order, (batch, count * rows, width))
