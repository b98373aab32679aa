"""The TFRecord format: one panoptic example, written and read side by side.

An example holds the encoded image and, where labelled, the panoptic map as raw
little-endian int32, row by row. Names and types are those of the records that
google-research/deeplab2 writes, so either library reads the other's.
"""

from typing import NamedTuple

import numpy as np

from deeplab2.datasets.example_wire import serialize_example
from deeplab2.datasets.record_index import RecordIndex
from deeplab2.structures import Tensor

__all__ = ["Record", "RecordIndex", "encode_example", "parse_example"]

IMAGE = "image/encoded"
NAME = "image/filename"  # without extension
FORMAT = "image/format"
HEIGHT = "image/height"
WIDTH = "image/width"
CHANNELS = "image/channels"
LABEL = "image/segmentation/class/encoded"
LABEL_FORMAT = "image/segmentation/class/format"

IMAGE_FORMATS = ("jpeg", "png")
RAW = b"raw"  # the only label format


class Record(NamedTuple):
  """A decoded example. Without a label, `panoptic` is None."""

  image: Tensor  # h w 3  uint8
  panoptic: Tensor | None  # h w  int32; semantic * divisor + instance
  name: Tensor  # string


def encode_example(
  image_bytes: bytes,
  *,
  image_format: str,
  name: str,
  size: tuple[int, int],
  panoptic: np.ndarray | None = None,
) -> bytes:
  """Serializes one image and its panoptic map.

  Args:
    image_bytes: the file's own bytes, an RGB JPEG or PNG.
    image_format: "jpeg" or "png".
    name: file name without extension.
    size: (height, width) of the decoded image in pixels.
    panoptic: h w, integers that fit int32; None for unlabelled images.
  """
  if image_format not in IMAGE_FORMATS:
    raise ValueError(
      f"image_format: expected one of {IMAGE_FORMATS}; got {image_format!r}."
    )
  height, width = size
  features = {
    IMAGE: image_bytes,
    NAME: name.encode(),
    FORMAT: image_format.encode(),
    HEIGHT: height,
    WIDTH: width,
    CHANNELS: 3,
  }
  if panoptic is not None:
    if panoptic.shape != (height, width):
      raise ValueError(
        f"panoptic: expected the image's size {(height, width)}; "
        f"got {panoptic.shape}."
      )
    features[LABEL] = panoptic.astype("<i4").tobytes()
    features[LABEL_FORMAT] = RAW
  return serialize_example(features)


def parse_example(serialized: Tensor, labelled: bool = True) -> Record:
  """Decodes one serialized example, eagerly or inside `tf.data`.

  Args:
    serialized: scalar string.
    labelled: whether to read the panoptic map; a record without one is then an
      error that names its feature.

  Raises:
    tf.errors.InvalidArgumentError: a feature is missing, the image does not
      decode, or image, map and stated size disagree; names the image.
  """
  import tensorflow as tf  # Writing needs none of it.

  features = tf.io.parse_single_example(serialized, _schema(labelled))
  name = features[NAME]
  size = tf.cast(tf.stack([features[HEIGHT], features[WIDTH]]), tf.int32)
  image = tf.io.decode_image(
    features[IMAGE], channels=3, expand_animations=False
  )
  image.set_shape([None, None, 3])
  image = _require(
    image,
    tf.reduce_all(tf.shape(image)[:2] == size),
    ["Record", name, "states size", size, "its image has", tf.shape(image)],
  )
  panoptic = _parse_label(features, size) if labelled else None
  return Record(image, panoptic, name)


def _parse_label(features: dict[str, Tensor], size: Tensor) -> Tensor:
  """The raw bytes as h w int32, after a check that they are all there."""
  import tensorflow as tf

  name = features[NAME]
  stated = features[LABEL_FORMAT]
  data = _require(
    features[LABEL],
    stated == RAW,
    ["Record", name, "expected label format raw; got", stated],
  )
  pixels = tf.io.decode_raw(data, tf.int32, little_endian=True)
  pixels = _require(
    pixels,
    tf.size(pixels) == tf.reduce_prod(size),
    ["Record", name, "states size", size, "its label has", tf.size(pixels)],
  )
  return tf.reshape(pixels, size)


def _require(value: Tensor, condition: Tensor, message: list) -> Tensor:
  """The value, once the condition was found to hold."""
  import tensorflow as tf

  with tf.control_dependencies([tf.debugging.Assert(condition, message)]):
    return tf.identity(value)


def _schema(labelled: bool) -> dict:
  import tensorflow as tf

  string = tf.io.FixedLenFeature((), tf.string)
  integer = tf.io.FixedLenFeature((), tf.int64)
  schema = {IMAGE: string, NAME: string, HEIGHT: integer, WIDTH: integer}
  if labelled:
    schema[LABEL] = string
    # Absent in some records of the original, whose reader takes it as raw.
    schema[LABEL_FORMAT] = tf.io.FixedLenFeature((), tf.string, RAW)
  return schema
