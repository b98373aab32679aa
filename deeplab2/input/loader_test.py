"""Tests of reading records."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.datasets.records import (
  HEIGHT,
  IMAGE,
  LABEL,
  LABEL_FORMAT,
  NAME,
  RecordIndex,
  parse_example,
)
from deeplab2.input.bad_records import BadRecords, TooManyBadRecordsError
from deeplab2.input.loader import RecordLoader
from deeplab2.input.order import EpochOrder
from deeplab2.input.testing import (
  TOY,
  png_bytes,
  ramp_image,
  toy_example,
  write_records,
)


def load_changed(tmp_path, change):
  """Loads record 2 of a file after a change to its features."""
  example = tf.train.Example.FromString(toy_example(2))
  change(example.features.feature)
  records = [toy_example(0), toy_example(1), example.SerializeToString()]
  path = write_records(tmp_path / "a.tfrecord", records)
  return RecordLoader(RecordIndex.from_patterns(path), TOY).load(2)


@pytest.mark.parametrize("label_format", ["runs", "raw"])
def test_a_record_is_what_the_format_says(tmp_path, label_format):
  examples = [toy_example(i, label_format=label_format) for i in range(3)]
  path = write_records(tmp_path / "a.tfrecord", examples)
  loader = RecordLoader(RecordIndex.from_patterns(path), TOY)
  dataset = tf.data.Dataset.range(3).map(loader.load_in_graph)
  for number, (record, is_good) in enumerate(dataset):
    assert is_good
    parsed = parse_example(tf.constant(toy_example(number)))
    np.testing.assert_array_equal(record.image, parsed.image)
    np.testing.assert_array_equal(record.panoptic, parsed.panoptic)
    assert record.name == f"image{number}"


def test_a_label_of_no_stated_format_is_raw(tmp_path):
  record = load_changed(tmp_path, lambda features: features.pop(LABEL_FORMAT))
  expected = parse_example(tf.constant(toy_example(2))).panoptic
  np.testing.assert_array_equal(record.panoptic, expected)


def test_an_unlabelled_image_is_void(tmp_path):
  path = write_records(tmp_path / "a.tfrecord", [toy_example(0, False)])
  dataset = dataclasses.replace(TOY, ignore_label=9)
  loader = RecordLoader(
    RecordIndex.from_patterns(path), dataset, labelled=False
  )
  record = loader.load(0)
  assert record.panoptic.shape == record.image.shape[:2]
  assert (record.panoptic == 9 * TOY.divisor).all()


def test_the_ignore_label_may_lie_outside_the_classes(tmp_path):
  example = tf.train.Example.FromString(toy_example(0))
  label = np.full((29, 43), 9 * TOY.divisor + 5, "<i4").tobytes()
  example.features.feature[LABEL].bytes_list.value[0] = label
  path = write_records(tmp_path / "a.tfrecord", [example.SerializeToString()])
  dataset = dataclasses.replace(TOY, ignore_label=9)
  record = RecordLoader(RecordIndex.from_patterns(path), dataset).load(0)
  assert (record.panoptic == 9 * TOY.divisor + 5).all()


def set_bytes(name, value):
  return lambda features: features[name].bytes_list.value.__setitem__(0, value)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      set_bytes(IMAGE, b"no image"),
      "image/encoded: expected a whole JPEG or PNG image; got 8 bytes that "
      "begin with b'no image'.",
    ),
    (
      lambda features: set_bytes(
        IMAGE, features[IMAGE].bytes_list.value[0][:60]
      )(features),
      "image/encoded: expected a whole JPEG or PNG image; got 60 bytes that do "
      "not decode: Invalid PNG data, size 60",
    ),
    (
      set_bytes(IMAGE, png_bytes(ramp_image(33, 41))[:16] + b"\0\1\0\0" * 2),
      "image/encoded: expected 1 to 67108864 pixels; got height 65536, width "
      "65536.",
    ),
    (
      set_bytes(NAME, b"na\xefve"),
      "image/filename: expected a text in UTF-8; got b'na\\xefve'.",
    ),
    (
      lambda features: features[HEIGHT].bytes_list.value.append(b"33"),
      "image/height: expected int; got bytes.",
    ),
    (
      lambda features: features.pop(LABEL),
      "image/segmentation/class/encoded: expected one value, or "
      "decode_groundtruth_label: false for unlabelled records; got 0.",
    ),
    (
      lambda features: features.pop(IMAGE),
      "image/encoded: expected one value; got 0.",
    ),
    (
      lambda features: features[HEIGHT].int64_list.value.__setitem__(0, 7),
      "image/encoded: expected the stated height and width (7, 41); got (33, "
      "41).",
    ),
    (
      set_bytes(LABEL, b"1234"),
      "image/segmentation/class/encoded: expected raw int32 for 33 x 41 "
      "pixels, 5412 bytes; got 4 bytes.",
    ),
    (
      set_bytes(LABEL_FORMAT, b"runs"),
      "image/segmentation/class/encoded: expected the zlib of two rows of "
      "int32; got 5412 bytes that are not: Error -3 while decompressing data: "
      "incorrect header check.",
    ),
    (
      set_bytes(LABEL, np.full(33 * 41, 5 * 32, "<i4").tobytes()),
      "image/segmentation/class/encoded: expected ids of the classes 0..4 and "
      "0, times 32; got 160.",
    ),
    (
      set_bytes(LABEL, np.full(33 * 41, -1, "<i4").tobytes()),
      "image/segmentation/class/encoded: expected ids of the classes 0..4 and "
      "0, times 32; got -1.",
    ),
  ],
)
def test_a_bad_record_is_named(tmp_path, change, message):
  with pytest.raises(ValueError) as error:
    load_changed(tmp_path, change)
  assert str(error.value) == f"{tmp_path / 'a.tfrecord'}, record 2: {message}"


def test_what_is_no_example_is_named(tmp_path):
  path = write_records(tmp_path / "a.tfrecord", [b"\xff\xff\xff"])
  loader = RecordLoader(RecordIndex.from_patterns(path), TOY)
  with pytest.raises(ValueError, match=r"a\.tfrecord, record 0: expected a tf"):
    loader.load(0)


def test_a_bad_record_is_void_without_a_name(tmp_path):
  path = write_records(tmp_path / "a.tfrecord", [toy_example(0), b"\xff"])
  bad = BadRecords(1)
  loader = RecordLoader(RecordIndex.from_patterns(path), TOY, bad=bad)
  dataset = tf.data.Dataset.range(2).map(loader.load_in_graph)
  (good, is_good), (nothing, is_good_too) = dataset
  assert good.name == "image0" and is_good
  assert nothing.name == "" and not is_good_too
  assert nothing.panoptic.shape == (1, 1)
  assert bad.count == 1


def place_holders(tmp_path, examples, limit):
  """Names at the positions of an epoch, whatever was met before them."""
  path = write_records(tmp_path / "a.tfrecord", examples)
  index = RecordIndex.from_patterns(path)
  orders = [EpochOrder(len(index), 3, stream) for stream in (0, 2)]
  names = []
  for position in range(len(index)):
    loader = RecordLoader(index, TOY, bad=BadRecords(limit))
    names.append(loader.load_at(position, *orders).name.decode())
  return names


def test_good_records_take_the_places_of_bad_ones(tmp_path):
  good = [toy_example(i) for i in range(7)]
  broken = [example if i % 3 else b"" for i, example in enumerate(good)]
  expected = place_holders(tmp_path, good, limit=0)
  found = place_holders(tmp_path, broken, limit=3)
  bad = {"image0", "image3", "image6"}
  assert [name for name in found if name not in bad] == found
  for wanted, name in zip(expected, found, strict=True):
    assert name == wanted or wanted in bad


def test_without_a_good_record_there_is_an_end(tmp_path):
  with pytest.raises(TooManyBadRecordsError) as error:
    place_holders(tmp_path, [b"", b"\xff", b""], limit=5)
  assert str(error.value) == (
    "file_pattern: expected records that can be read; all 3 are bad, such as "
    f"{tmp_path / 'a.tfrecord'}, record 0."
  )
