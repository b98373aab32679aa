import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from deeplab2.datasets.label_formats import encode_label
from deeplab2.datasets.records import encode_example, parse_example

H, W = 7, 11
IMAGE = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
PANOPTIC = np.arange(H * W).reshape(H, W) * 400000


def _png(image=IMAGE) -> bytes:
  file = io.BytesIO()
  Image.fromarray(image).save(file, "png")
  return file.getvalue()


def _example(**changes) -> bytes:
  arguments = {
    "image_bytes": _png(),
    "image_format": "png",
    "name": "0001",
    "size": (H, W),
    "panoptic": PANOPTIC,
    **changes,
  }
  return encode_example(arguments.pop("image_bytes"), **arguments)


def _changed(name: str, feature: tf.train.Feature) -> bytes:
  example = tf.train.Example.FromString(_example())
  example.features.feature[name].CopyFrom(feature)
  return example.SerializeToString()


@pytest.mark.parametrize(
  ("label_format", "panoptic"),
  [
    ("raw", PANOPTIC),
    ("runs", PANOPTIC),
    ("runs", PANOPTIC // 2**23),
  ],
)
def test_round_trip_eagerly_and_in_a_dataset(label_format, panoptic):
  image = np.resize(IMAGE, (*panoptic.shape, 3))
  example = _example(
    image_bytes=_png(image),
    size=panoptic.shape,
    panoptic=panoptic,
    label_format=label_format,
  )
  dataset = tf.data.Dataset.from_tensors(example).map(parse_example)
  for record in (parse_example(example), next(iter(dataset))):
    np.testing.assert_array_equal(record.image, image)
    np.testing.assert_array_equal(record.panoptic, panoptic)
    assert record.panoptic.dtype == tf.int32
    assert record.name == b"0001"


def test_layout_is_that_of_the_original_library():
  example = tf.train.Example.FromString(_example()).features.feature
  ints = {
    name: list(feature.int64_list.value)
    for name, feature in example.items()
    if feature.WhichOneof("kind") == "int64_list"
  }
  assert ints == {
    "image/height": [H],
    "image/width": [W],
    "image/channels": [3],
  }
  texts = {name: list(example[name].bytes_list.value) for name in example}
  assert texts["image/encoded"] == [_png()]
  assert texts["image/filename"] == [b"0001"]
  assert texts["image/format"] == [b"png"]
  assert texts["image/segmentation/class/format"] == [b"raw"]
  label = texts["image/segmentation/class/encoded"][0]
  assert label == PANOPTIC.astype("<i4").tobytes()
  assert len(example) == 8


def test_records_without_label():
  serialized = _example(panoptic=None)
  assert parse_example(serialized, labelled=False).panoptic is None
  with pytest.raises(
    tf.errors.InvalidArgumentError, match="image/segmentation/class/encoded"
  ):
    parse_example(serialized)


def test_sizes_that_disagree_name_the_image():
  short = _changed(
    "image/segmentation/class/encoded",
    tf.train.Feature(bytes_list=tf.train.BytesList(value=[bytes(4 * 5)])),
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match="0001"):
    parse_example(short)
  wrong = _changed(
    "image/height",
    tf.train.Feature(int64_list=tf.train.Int64List(value=[H + 1])),
  )
  dataset = tf.data.Dataset.from_tensors(wrong).map(parse_example)
  with pytest.raises(tf.errors.InvalidArgumentError, match="0001"):
    next(iter(dataset))


def test_a_label_of_another_format_is_refused():
  gif = _changed(
    "image/segmentation/class/format",
    tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"gif"])),
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match="0001"):
    parse_example(gif)


def test_runs_of_another_size_names_the_image():
  label = encode_label(PANOPTIC[:3, :5], "runs")
  example = tf.train.Example.FromString(_example(label_format="runs"))
  feature = example.features.feature["image/segmentation/class/encoded"]
  feature.bytes_list.value[0] = label
  with pytest.raises(tf.errors.InvalidArgumentError, match="0001"):
    parse_example(example.SerializeToString())


def test_wrong_arguments():
  with pytest.raises(ValueError) as caught:
    _example(image_format="gif")
  assert str(caught.value) == (
    "image_format: expected one of ('jpeg', 'png'); got 'gif'."
  )
  with pytest.raises(ValueError) as caught:
    _example(label_format="gif")
  assert str(caught.value) == (
    "label_format: expected one of ('runs', 'raw'); got 'gif'."
  )
  with pytest.raises(ValueError) as caught:
    _example(size=(W, H))
  assert str(caught.value) == (
    "panoptic: expected the image's size (11, 7); got (7, 11)."
  )
