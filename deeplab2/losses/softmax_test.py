"""Tests of the softmax losses with gradients of their own."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import softmax

B, P, C = 2, 7, 5


@pytest.fixture
def logits():
  rng = np.random.default_rng(0)
  return tf.constant(3.0 * rng.standard_normal((B, P, C)), tf.float32)


def value_and_gradient(function, logits, upstream):
  with tf.GradientTape() as tape:
    tape.watch(logits)
    value = function(logits)
    total = tf.reduce_sum(value * upstream)
  return value.numpy(), tape.gradient(total, logits).numpy()


def test_cross_entropy_agrees_with_tensorflows(logits):
  rng = np.random.default_rng(1)
  label = rng.integers(0, C, (B, P)).astype(np.int32)
  upstream = rng.standard_normal((B, P)).astype(np.float32)
  ours = value_and_gradient(
    lambda x: softmax.cross_entropy(x, tf.constant(label)), logits, upstream
  )
  theirs = value_and_gradient(
    lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(label, x),
    logits,
    upstream,
  )
  np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
  np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_nothing_is_learnt_where_the_label_is_minus_one(logits):
  label = tf.constant([[0, -1, 2, -1, 4, 1, -1]] * B)
  value, gradient = value_and_gradient(
    lambda x: softmax.cross_entropy(x, label), logits, 1.0
  )
  skipped = label.numpy() < 0
  assert (value[skipped] == 0).all() and (value[~skipped] > 0).all()
  assert (gradient[skipped] == 0).all()
  assert (gradient[~skipped] != 0).all()


def test_cross_entropy_holds_where_probabilities_underflow():
  logits = tf.constant([[[0.0, 1000.0, -500.0]]])
  value, gradient = value_and_gradient(
    lambda x: softmax.cross_entropy(x, tf.constant([[2]])), logits, 1.0
  )
  np.testing.assert_allclose(value, [[1500.0]])
  np.testing.assert_allclose(gradient, [[[0.0, 1.0, -1.0]]])


def test_nan_is_not_swallowed(logits):
  broken = tf.constant([[[0.0, np.nan, 1.0]]])
  assert np.isnan(softmax.cross_entropy(broken, tf.constant([[0]]))).all()


def test_weighted_area_agrees_with_automatic_differentiation(logits):
  rng = np.random.default_rng(2)
  weight = rng.random((B, P), np.float32)
  upstream = rng.standard_normal((B, C)).astype(np.float32)
  ours = value_and_gradient(
    lambda x: softmax.weighted_area(x, weight, softmax.softmax(x)),
    logits,
    upstream,
  )
  theirs = value_and_gradient(
    lambda x: tf.einsum("bp,bpc->bc", weight, tf.nn.softmax(x)),
    logits,
    upstream,
  )
  np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
  np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_shared_probabilities_have_no_gradient(logits):
  with tf.GradientTape() as tape:
    tape.watch(logits)
    total = tf.reduce_sum(softmax.softmax(logits) ** 2)
  assert tape.gradient(total, logits) is None
