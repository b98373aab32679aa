from unittest import mock

import numpy as np
import pytest

from deeplab2.layers import batch_statistics

B, L, C = 3, 5, 7
EPSILON = 1e-3


def _inputs():
  rng = np.random.default_rng(0)
  x = rng.normal(2.0, 3.0, (B, L, C)).astype("float32")
  return x, rng.normal(size=C).astype("f4"), rng.normal(size=C).astype("f4")


def test_the_kernel_agrees_with_the_formula():
  pytest.importorskip("tensorflow")
  x, gamma, beta = _inputs()
  found = batch_statistics.normalize_channels(x, gamma, beta, EPSILON)
  expected = batch_statistics.normalize(x, gamma, beta, EPSILON, (0, 1), False)
  for ours, theirs in zip(found, expected, strict=True):
    np.testing.assert_allclose(ours, np.squeeze(theirs), rtol=1e-4, atol=1e-5)


def test_the_variance_is_that_of_the_batch():
  pytest.importorskip("tensorflow")
  x, gamma, beta = _inputs()
  _, mean, variance = batch_statistics.normalize_channels(
    x, gamma, beta, EPSILON
  )
  np.testing.assert_allclose(mean, x.mean((0, 1)), rtol=1e-5)
  np.testing.assert_allclose(variance, x.var((0, 1)), rtol=1e-5)


def test_the_kernel_hides_no_nan_from_an_activation():
  tf = pytest.importorskip("tensorflow")
  channels = 8  # of which TensorFlow would make one kernel with the ReLU

  @tf.function
  def activated(x):
    y, _, _ = batch_statistics.normalize_channels(
      x, tf.ones(channels), tf.zeros(channels), EPSILON
    )
    return tf.nn.relu(y)

  x = np.random.default_rng(0).normal(size=(B, L, L, channels)).astype("f4")
  x[1, 2, 3, 4] = np.nan
  y = activated(x).numpy()
  assert np.isnan(y[..., 4]).all()
  assert np.isfinite(np.delete(y, 4, axis=-1)).all()


def test_a_size_that_a_graph_does_not_know_changes_nothing():
  tf = pytest.importorskip("tensorflow")
  x, gamma, beta = _inputs()
  normalize = tf.function(
    lambda x: batch_statistics.normalize_channels(x, gamma, beta, EPSILON),
    input_signature=[tf.TensorSpec((None, None, C))],
  )
  expected = batch_statistics.normalize_channels(x, gamma, beta, EPSILON)
  for ours, theirs in zip(normalize(x), expected, strict=True):
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_the_kernel_is_for_the_last_axis():
  pytest.importorskip("tensorflow")
  assert batch_statistics.has_kernel((-1,))
  assert not batch_statistics.has_kernel((0, 2))


def test_replicas_are_those_of_the_strategy():
  tf = pytest.importorskip("tensorflow")
  assert not batch_statistics.has_replicas()
  with mock.patch.object(tf.distribute, "get_strategy") as strategy:
    strategy.return_value.num_replicas_in_sync = 2
    assert batch_statistics.has_replicas()
