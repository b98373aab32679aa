import numpy as np
import pytest

from deeplab2.layers.relative_position import MAX_SPAN, RelativePosition

D = 3


def test_encodings_depend_on_key_minus_query_only():
  layer = RelativePosition(D)
  table = np.array(layer.embeddings)
  pairs = np.array(layer(length=7))
  assert pairs.shape == (7, 7, D)
  for query in range(7):
    for key in range(7):
      np.testing.assert_array_equal(
        pairs[query, key], table[key - query + MAX_SPAN - 1]
      )


def test_one_layer_serves_every_length():
  layer = RelativePosition(D)
  np.testing.assert_array_equal(layer(length=11)[:5, :5], layer(length=5))


def test_what_is_beyond_the_span_shares_the_last_vector():
  layer = RelativePosition(D)
  table = np.array(layer.embeddings)
  pairs = np.array(layer(length=MAX_SPAN + 3))
  np.testing.assert_array_equal(pairs[0, -1], table[-1])
  np.testing.assert_array_equal(pairs[0, MAX_SPAN - 1], table[-1])
  np.testing.assert_array_equal(pairs[-1, 0], table[0])
  assert np.abs(pairs[0, MAX_SPAN - 2] - table[-1]).max() > 0


def test_the_gradient_is_a_plain_tensor():
  tf = pytest.importorskip("tensorflow")
  layer = RelativePosition(D)
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(layer(length=3))
  gradient = tape.gradient(total, layer.embeddings.value)
  assert isinstance(gradient, tf.Tensor)
  times = np.zeros(2 * MAX_SPAN - 1)
  times[MAX_SPAN - 3 : MAX_SPAN + 2] = [1, 2, 3, 2, 1]
  np.testing.assert_array_equal(gradient, np.repeat(times[:, None], D, axis=1))
