"""Resizing: which size an image gets, and the sampling of image and label.

Sizes are int32 tensors (height, width) in pixels, limits are Python pairs.
"""

import tensorflow as tf

from deeplab2.structures import Sample

Size = tuple[int, int]


def size_in_range(
  size: tf.Tensor,
  min_size: Size | None = None,
  max_size: Size | None = None,
  factor: int | None = None,
) -> tf.Tensor:
  """Size of an image scaled into a range, its shape kept.

  Both sides grow or shrink together until neither is below `min_size` and one
  equals it; then they shrink until neither is above `max_size`, which wins.
  With a `factor` both are then rounded up to a multiple of it plus one, and the
  upper limit is such a number too.

  The float32 product and its floor are those of google-research/deeplab2, so
  that an image meets its networks at the size they were trained for.
  """
  if min_size:
    size = scaled_size(size, tf.reduce_max(_ratio(min_size, size)))
  if max_size:
    if factor:
      max_size = tuple(side - (side - 1) % factor for side in max_size)
    ratio = tf.minimum(tf.reduce_min(_ratio(max_size, size)), 1.0)
    size = scaled_size(size, ratio)
  return size + (1 - size) % factor if factor else size


def scaled_size(size: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
  """(height, width) times a factor, cut to whole pixels, at least one."""
  scaled = tf.cast(size, tf.float32) * tf.cast(factor, tf.float32)
  return tf.maximum(tf.cast(scaled, tf.int32), 1)


def resize(sample: Sample, size: tf.Tensor) -> Sample:
  """Image and label at a new size; corners stay in the corners.

  The image is sampled bilinearly, without a filter before shrinking; the label
  takes the nearest pixel, so it gains no id.
  """
  image = tf.raw_ops.ResizeBilinear(
    images=sample.image[None], size=size, align_corners=True
  )
  panoptic = tf.raw_ops.ResizeNearestNeighbor(
    images=sample.panoptic[None, ..., None], size=size, align_corners=True
  )
  return Sample(image=image[0], panoptic=panoptic[0, ..., 0])


def _ratio(limit: Size, size: tf.Tensor) -> tf.Tensor:
  return tf.constant(limit, tf.float64) / tf.cast(size, tf.float64)
