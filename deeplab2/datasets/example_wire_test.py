import pytest
import tensorflow as tf

from deeplab2.datasets.example_wire import serialize_example

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
