"""Small samples and records for the tests of this folder."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from deeplab2.config import dataset_pb2
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.records import encode_example
from deeplab2.structures import Sample

VOID, DISC, STAR, SKY, SEA = range(5)

TOY = DatasetDescription(
  name="toy",
  ignore_label=VOID,
  divisor=32,
  thing_ids=(DISC, STAR),
  class_names=("void", "disc", "star", "sky", "sea"),
  colors=((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255)),
  category_ids=(None, 1, 2, 3, 4),
)


def ramp_image(height: int, width: int) -> np.ndarray:
  """An image whose pixels all have different neighbours.  h w 3  uint8"""
  y, x, c = np.ogrid[:height, :width, :3]
  return ((7 * y + 3 * x + 50 * c + 9 * ((x * y) % 13)) % 256).astype(np.uint8)


def random_panoptic(height: int, width: int, seed: int = 0) -> np.ndarray:
  """Blocks of random classes and instances of `TOY`.  h w  int32"""
  rng = np.random.default_rng(seed)
  semantic = rng.integers(0, TOY.num_classes, (5, 7))
  instance = rng.integers(0, 4, (5, 7)) * np.isin(semantic, TOY.thing_ids)
  blocks = TOY.codec.encode(semantic, instance).astype(np.int32)
  rows = np.arange(height) * 5 // height
  columns = np.arange(width) * 7 // width
  return blocks[rows][:, columns]


def traced_sample(height: int, width: int) -> Sample:
  """A sample that shows where its pixels come from.

  The label numbers the pixels; the image holds row, column and 1 (so that no
  channel of it equals the padding).
  """
  y, x = np.mgrid[:height, :width]
  image = np.stack([y, x, np.ones_like(y)], axis=-1).astype(np.float32)
  return Sample(tf.constant(image), tf.constant(y * width + x, dtype=tf.int32))


def eagerly_and_in_map(function, *arguments):
  """Results of a function called eagerly, and inside `tf.data.Dataset.map`.

  The two may differ in what they trace, place and fold.
  """
  arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
  dataset = tf.data.Dataset.from_tensors(arguments).map(function)
  return function(*arguments), next(iter(dataset))


def png_bytes(image: np.ndarray) -> bytes:
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, format="PNG")
  return buffer.getvalue()


def toy_example(
  number: int, labelled: bool = True, label_format: str = "raw"
) -> bytes:
  """A serialized example; sizes differ from number to number."""
  size = (29 + 2 * number, 43 - number)
  panoptic = random_panoptic(*size, seed=number) if labelled else None
  return encode_example(
    png_bytes(np.roll(ramp_image(*size), number, axis=1)),
    image_format="png",
    name=f"image{number}",
    size=size,
    panoptic=panoptic,
    label_format=label_format,
  )


def write_records(path, examples) -> str:
  """Writes serialized examples; returns the file's name."""
  with tf.io.TFRecordWriter(str(path)) as writer:
    for example in examples:
      writer.write(example)
  return str(path)


def toy_options(file_pattern: str, **fields) -> dataset_pb2.DatasetOptions:
  """Options for crops of 33 x 49, randomly scaled."""
  options = dataset_pb2.DatasetOptions(
    dataset="toy",
    file_pattern=[file_pattern],
    batch_size=4,
    crop_size=(33, 49),
    max_resize_value=(33, 49),
    max_thing_id=11,
  )
  options.augmentations.min_scale_factor = 0.5
  options.augmentations.max_scale_factor = 1.5
  options.augmentations.scale_factor_step_size = 0.1
  options.MergeFrom(dataset_pb2.DatasetOptions(**fields))
  return options
