import numpy as np
import pytest
import tensorflow as tf

from deeplab2.datasets.example_wire import read_example, serialize_example

FEATURES = {
  "zeta": 0,
  "alpha": 300,
  "big": 2**40 + 7,
  "text": b"abc",
  "empty": b"",
  "long": bytes(range(256)) * 100,
}


def test_tensorflow_reads_the_same_message():
  example = tf.train.Example.FromString(serialize_example(FEATURES))
  read = {
    name: list(feature.bytes_list.value) or list(feature.int64_list.value)
    for name, feature in example.features.feature.items()
  }
  assert read == {name: [value] for name, value in FEATURES.items()}


def test_bytes_are_those_of_tensorflow():
  data = serialize_example(FEATURES)
  example = tf.train.Example.FromString(data)
  assert example.SerializeToString(deterministic=True) == data


def test_order_of_the_map_does_not_matter():
  backwards = dict(reversed(FEATURES.items()))
  assert serialize_example(backwards) == serialize_example(FEATURES)


def test_negative_integers_are_refused():
  with pytest.raises(ValueError) as caught:
    serialize_example({"height": -1})
  assert str(caught.value) == (
    "features: expected integers of 0 or more; got -1."
  )


def test_reads_what_it_writes():
  assert read_example(serialize_example(FEATURES)) == FEATURES


def test_reads_what_tensorflow_writes():
  feature = {
    "ints": tf.train.Feature(int64_list=tf.train.Int64List(value=[7, 9])),
    "none": tf.train.Feature(bytes_list=tf.train.BytesList()),
    "real": tf.train.Feature(float_list=tf.train.FloatList(value=[1.5])),
    "texts": tf.train.Feature(
      bytes_list=tf.train.BytesList(value=[b"a", b"b"])
    ),
  }
  example = tf.train.Example(features=tf.train.Features(feature=feature))
  found = read_example(example.SerializeToString())
  assert found == {"ints": 7, "texts": b"a"}
  assert read_example(b"") == {}


@pytest.mark.parametrize("cut", [1, 2, 3, 40])
def test_a_message_cut_short_is_refused(cut):
  data = serialize_example(FEATURES)
  with pytest.raises(ValueError, match=r"^not a tf.train.Example: broken at"):
    read_example(data[:-cut])


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused_or_empty(seed):
  data = np.random.default_rng(seed).bytes(200)
  try:
    found = read_example(data)
  except (ValueError, UnicodeDecodeError):
    return
  assert found == {}
