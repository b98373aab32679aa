"""The nine colour operations of AutoAugment's reduced search space.

Each maps an image, h w 3 uint8, to another of its kind, and does what the
operation of the same name in Pillow (ImageOps, ImageEnhance) does. A `factor`
of 1 leaves an image as it is; 0 takes all of the quality away; above 1 adds.
"""

import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2


def autocontrast(image: tf.Tensor) -> tf.Tensor:
  """Stretches each channel to 0..255; a channel of one value stays."""
  low = tf.cast(tf.reduce_min(image, axis=[0, 1]), tf.int32)
  high = tf.cast(tf.reduce_max(image, axis=[0, 1]), tf.int32)
  # In integers, so that the largest value becomes 255 and not 254.99.
  span = tf.maximum(high - low, 1)
  stretched = (tf.cast(image, tf.int32) - low) * 255 // span
  return tf.where(high > low, tf.cast(stretched, tf.uint8), image)


def equalize(image: tf.Tensor) -> tf.Tensor:
  """Makes the histogram of each channel flat."""
  entry = tf.cast(image, tf.int32) + tf.constant([0, 256, 512])  # h w 3
  counts = tf.math.bincount(entry, minlength=768, maxlength=768)
  table = _equalizing_table(tf.reshape(counts, [3, 256]))
  return tf.gather(tf.reshape(table, [-1]), entry)


def _equalizing_table(counts: tf.Tensor) -> tf.Tensor:
  """New value of each old one, a channel a row: 3 256 -> 3 256 uint8.

  A value maps to the share of pixels below it. The pixels of the highest value
  are left out of the total: nothing lies above them.
  """
  values = tf.range(256)
  highest = tf.reduce_max(tf.where(counts > 0, values, 0), axis=1)
  at_highest = tf.gather(counts, highest, axis=1, batch_dims=1)
  step = (tf.reduce_sum(counts, axis=1) - at_highest)[:, None] // 255
  below = tf.cumsum(counts, axis=1, exclusive=True) + step // 2
  table = tf.minimum(below // tf.maximum(step, 1), 255)
  return tf.cast(tf.where(step > 0, table, values), tf.uint8)


def invert(image: tf.Tensor) -> tf.Tensor:
  """The negative."""
  return 255 - image


def posterize(image: tf.Tensor, bits: int) -> tf.Tensor:
  """Keeps the highest `bits` (1..8) of each value."""
  kept = 256 - (1 << (8 - bits))
  return tf.bitwise.bitwise_and(image, tf.constant(kept, tf.uint8))


def solarize(image: tf.Tensor, threshold: int) -> tf.Tensor:
  """Inverts the values from `threshold` (0..256) on."""
  return tf.where(tf.cast(image, tf.int32) < threshold, image, 255 - image)


def color(image: tf.Tensor, factor: float) -> tf.Tensor:
  """Less or more colour; 0 is grey."""
  return _blend(_luma(image), image, factor)


def contrast(image: tf.Tensor, factor: float) -> tf.Tensor:
  """Less or more contrast; 0 is one grey, the image's mean.

  The original takes pixels / 256 for the mean, which is white for any real
  image; this is the mean.
  """
  mean = tf.round(tf.reduce_mean(_luma(image)))
  return _blend(mean, image, factor)


def brightness(image: tf.Tensor, factor: float) -> tf.Tensor:
  """Less or more light; 0 is black."""
  return _blend(0.0, image, factor)


def sharpness(image: tf.Tensor, factor: float) -> tf.Tensor:
  """Less or more sharpness; 0 is smoothed by a 3x3 filter with centre 5/13.

  The outermost pixels have no such neighbourhood and stay.
  """
  pixels = tf.cast(image, tf.float32)
  rows = pixels[:-2] + pixels[1:-1] + pixels[2:]
  box = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
  inner = image[1:-1, 1:-1]
  smooth = tf.floor((box + 4.0 * pixels[1:-1, 1:-1]) / 13.0)
  inner = _blend(smooth, inner, factor)
  middle = tf.concat([image[1:-1, :1], inner, image[1:-1, -1:]], axis=1)
  return tf.concat([image[:1], middle, image[-1:]], axis=0)


def _luma(image: tf.Tensor) -> tf.Tensor:
  """Brightness a pixel, in whole steps.  h w 1  float32"""
  weighted = tf.cast(image, tf.float32) * tf.constant(_LUMA)
  return tf.round(tf.reduce_sum(weighted, axis=2, keepdims=True))


def _blend(poor, image: tf.Tensor, factor: float) -> tf.Tensor:
  """From `poor` (0) over `image` (1) and beyond, cut to 0..255."""
  mixed = poor + factor * (tf.cast(image, tf.float32) - poor)
  return tf.saturate_cast(mixed, tf.uint8)
