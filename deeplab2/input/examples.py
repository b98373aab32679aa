"""From a decoded record to the sample that the network sees.

The order of steps is the original's; image and label are resized once, to the
size that the range of sizes and the random scale ask for together.
"""

import tensorflow as tf

from deeplab2.datasets.records import Record
from deeplab2.input.segments import void_id
from deeplab2.input.settings import InputSettings
from deeplab2.input.transforms.autoaugment import random_colors
from deeplab2.input.transforms.copy_paste import PADDING, copy_paste
from deeplab2.input.transforms.crop_and_pad import (
  CORNER,
  crop_and_pad,
  random_corner,
)
from deeplab2.input.transforms.flip import random_flip
from deeplab2.input.transforms.random_scale import (
  ScaleRange,
  random_scale,
)
from deeplab2.input.transforms.resize import resize, scaled_size, size_in_range
from deeplab2.structures import ClassLayout, Sample


def augment(
  record: Record,
  settings: InputSettings,
  scales: ScaleRange,
  seed: tf.Tensor,
  label_fill: int,
) -> tuple[Sample, tf.Tensor]:
  """A random view of a training image, of the crop's size.

  Returns:
    The sample, and height and width of the image's part in it.  2  int32
  """
  scale_seed, color_seed, crop_seed, flip_seed = tf.unstack(
    tf.random.split(seed, 4)
  )
  size = size_in_range(
    _size(record), settings.min_size, settings.max_size, settings.resize_factor
  )
  size = scaled_size(size, random_scale(scales, scale_seed))
  sample = resize(_sample(record), size)
  if settings.policy:
    sample = random_colors(sample, settings.policy, color_seed)
  corner = random_corner(size, settings.crop_size, crop_seed)
  sample = crop_and_pad(sample, settings.crop_size, corner, label_fill)
  sample = random_flip(sample, flip_seed)
  return sample, tf.minimum(size, settings.crop_size)


def augment_and_paste(
  record: Record,
  source: Record,
  settings: InputSettings,
  layout: ClassLayout,
  seed: tf.Tensor,
) -> tuple[Sample, tf.Tensor]:
  """A random view of one image with segments of a view of another on it."""
  canvas_seed, source_seed, paste_seed = tf.unstack(tf.random.split(seed, 3))
  canvas, valid_size = augment(
    record, settings, settings.scales, canvas_seed, void_id(layout)
  )
  pasted, _ = augment(
    source,
    settings,
    settings.scales.times(settings.paste_scale),
    source_seed,
    PADDING,
  )
  sample = copy_paste(canvas, pasted, settings.paste_rule, layout, paste_seed)
  return sample, valid_size


def fit(
  record: Record, settings: InputSettings, label_fill: int
) -> tuple[Sample, tf.Tensor]:
  """The whole image, resized to fit the crop, padded below and on the right.

  Returns:
    The sample, and height and width of the image in it.  2  int32
  """
  size = size_in_range(
    _size(record),
    settings.min_size,
    settings.max_size or settings.crop_size,
    settings.resize_factor,
  )
  sample = resize(_sample(record), size)
  corner = tf.constant(CORNER)
  return crop_and_pad(sample, settings.crop_size, corner, label_fill), size


def _size(record: Record) -> tf.Tensor:
  return tf.shape(record.panoptic)


def _sample(record: Record) -> Sample:
  return Sample(tf.cast(record.image, tf.float32), record.panoptic)
