"""Cutting a window out of an image; where it juts out, it is filled.

Crop and padding are one thing here: the window's upper left corner lies in the
image's coordinates and may be negative.
"""

import tensorflow as tf

from deeplab2.structures import Sample

IMAGE_FILL = 127.5  # zero after normalization

CORNER = (0, 0)  # the window of evaluation: padding at the bottom and right


def random_corner(
  size: tf.Tensor, crop_size: tuple[int, int], seed: tf.Tensor
) -> tf.Tensor:
  """Upper left corner of a window at a random place.  2  int32

  On each axis the window lies inside the image, or the image inside the window
  where it is the smaller one; all such places are equally likely.
  """
  slack = size - tf.constant(crop_size)
  places = tf.cast(tf.abs(slack) + 1, tf.float32)
  shift = tf.random.stateless_uniform([2], seed) * places
  return tf.minimum(slack, 0) + tf.cast(shift, tf.int32)


def crop_and_pad(
  sample: Sample,
  crop_size: tuple[int, int],
  corner: tf.Tensor,
  label_fill: int,
) -> Sample:
  """The window of `crop_size` at `corner`, of image and label alike.

  Outside the image it holds 127.5 and `label_fill`. The result has static size.
  """
  size = tf.shape(sample.panoptic)
  start = tf.maximum(corner, 0)
  stop = tf.minimum(corner + crop_size, size)
  before = tf.maximum(-corner, 0)
  paddings = tf.stack([before, crop_size - before - (stop - start)], axis=1)
  image = sample.image[start[0] : stop[0], start[1] : stop[1]]
  panoptic = sample.panoptic[start[0] : stop[0], start[1] : stop[1]]
  image = tf.pad(
    image, tf.pad(paddings, [[0, 1], [0, 0]]), constant_values=IMAGE_FILL
  )
  panoptic = tf.pad(panoptic, paddings, constant_values=label_fill)
  return Sample(
    image=tf.ensure_shape(image, (*crop_size, 3)),
    panoptic=tf.ensure_shape(panoptic, crop_size),
  )
