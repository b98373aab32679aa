"""The TFRecord format: one panoptic example, written and read side by side.

An example holds the encoded image and, where labelled, the panoptic map in one
of the two forms of `label_formats`. Names and types are those of the records
that google-research/deeplab2 writes; with raw labels either library reads the
other's.
"""

from typing import NamedTuple

import numpy as np

from deeplab2.datasets.example_wire import serialize_example
from deeplab2.datasets.label_formats import (
  LABEL_FORMATS,
  RAW,
  RUNS,
  encode_label,
)
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
# Absent in some records of the original, whose reader takes it as raw.
DEFAULT_LABEL_FORMAT = RAW.encode()


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
  label_format: str = RAW,
) -> bytes:
  """Serializes one image and its panoptic map.

  Args:
    image_bytes: the file's own bytes, an RGB JPEG or PNG.
    image_format: "jpeg" or "png".
    name: file name without extension.
    size: (height, width) of the decoded image in pixels.
    panoptic: h w, integers that fit int32; None for unlabelled images.
    label_format: the form of the map; "runs" or "raw", which any reader knows.
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
    features[LABEL] = encode_label(panoptic, label_format)
    features[LABEL_FORMAT] = label_format.encode()
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
  """The label's bytes as h w int32."""
  import tensorflow as tf

  name, stated = features[NAME], features[LABEL_FORMAT]
  data = _require(
    features[LABEL],
    tf.reduce_any(stated == [form.encode() for form in LABEL_FORMATS]),
    [
      "Record",
      name,
      "expected a label format of",
      LABEL_FORMATS,
      "got",
      stated,
    ],
  )
  return tf.cond(
    stated == RUNS.encode(),
    lambda: _from_runs(data, size, name),
    lambda: _from_raw(data, size, name),
  )


def _from_raw(data: Tensor, size: Tensor, name: Tensor) -> Tensor:
  import tensorflow as tf

  return _filled(tf.io.decode_raw(data, tf.int32), size, name)


def _from_runs(data: Tensor, size: Tensor, name: Tensor) -> Tensor:
  import tensorflow as tf

  rows = tf.io.decode_raw(tf.io.decode_compressed(data, "ZLIB"), tf.int32)
  ids, lengths = tf.unstack(tf.reshape(rows, [2, -1]))
  return _filled(tf.repeat(ids, lengths), size, name)


def _filled(pixels: Tensor, size: Tensor, name: Tensor) -> Tensor:
  """Pixels row by row as h w, after a check that they are all there."""
  import tensorflow as tf

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
    schema[LABEL_FORMAT] = tf.io.FixedLenFeature(
      (), tf.string, DEFAULT_LABEL_FORMAT
    )
  return schema
