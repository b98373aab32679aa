import numpy as np
import pytest

from deeplab2.layers.relative_position import (
  MAX_SPAN,
  RelativePosition,
  over_distances,
  over_keys,
)

D = 3


def _of_distance(layer, distance):
  """Row of the table that a distance has."""
  return np.array(layer.embeddings)[distance + MAX_SPAN - 1]


@pytest.mark.parametrize("length", [1, 7])
def test_each_distance_has_its_own_vector(length):
  layer = RelativePosition(D)
  vectors = np.array(layer(length=length))
  assert vectors.shape == (2 * length, D)
  for i, distance in enumerate(range(1 - length, length + 1)):
    np.testing.assert_array_equal(vectors[i], _of_distance(layer, distance))


def test_backwards_negates_the_distance():
  layer = RelativePosition(D)
  vectors = np.array(layer(length=7, backwards=True))
  for i, distance in enumerate(range(-6, 8)):
    np.testing.assert_array_equal(vectors[i], _of_distance(layer, -distance))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_length_that_a_graph_does_not_know_changes_nothing(backwards):
  tf = pytest.importorskip("tensorflow")
  layer = RelativePosition(D)
  vectors = tf.function(lambda n: layer(length=n, backwards=backwards))
  np.testing.assert_array_equal(
    vectors(tf.constant(7)), layer(length=7, backwards=backwards)
  )


@pytest.mark.parametrize("backwards", [False, True])
def test_up_to_the_span_and_beyond_it_distances_are_alike(backwards):
  layer = RelativePosition(D)
  last, beyond = (
    np.array(layer(length=n, backwards=backwards))
    for n in (MAX_SPAN - 1, MAX_SPAN)
  )
  np.testing.assert_array_equal(beyond[1:-1], last)


def test_what_is_beyond_the_span_shares_the_last_vector():
  layer = RelativePosition(D)
  table = np.array(layer.embeddings)
  vectors = np.array(layer(length=MAX_SPAN + 3))
  np.testing.assert_array_equal(vectors[:4], np.stack([table[0]] * 4))
  np.testing.assert_array_equal(vectors[-5:], np.stack([table[-1]] * 5))
  assert np.abs(vectors[-6] - table[-1]).max() > 0


@pytest.mark.parametrize("length", [1, 2, 5])
def test_distances_are_set_out_over_keys(length):
  x = np.random.default_rng(0).normal(size=(2, 3, length, 2 * length))
  y = np.array(over_keys(x))
  assert y.shape == (2, 3, length, length)
  for query, key in np.ndindex(length, length):
    np.testing.assert_array_equal(
      y[:, :, query, key], x[:, :, query, key - query + length - 1]
    )


@pytest.mark.parametrize("length", [1, 2, 5])
def test_keys_are_gathered_by_distance(length):
  y = np.random.default_rng(0).normal(size=(2, 3, length, length))
  x = np.array(over_distances(y))
  assert x.shape == (2, 3, length, 2 * length)
  np.testing.assert_array_equal(over_keys(x), y)
  np.testing.assert_allclose(x.sum(), y.sum())  # and nothing else


def test_the_gradient_is_a_plain_tensor():
  tf = pytest.importorskip("tensorflow")
  layer = RelativePosition(D)
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(layer(length=3)[:-1])
  gradient = tape.gradient(total, layer.embeddings.value)
  assert isinstance(gradient, tf.Tensor)
  times = np.zeros(2 * MAX_SPAN - 1)
  times[MAX_SPAN - 3 : MAX_SPAN + 2] = 1
  np.testing.assert_array_equal(gradient, np.repeat(times[:, None], D, axis=1))
