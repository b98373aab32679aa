"""Tests of the class half of the PQ-style loss."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import slot_class

B, N, C = 2, 5, 7


@pytest.fixture
def logits():
  return np.random.default_rng(0).standard_normal((B, N, C)).astype(np.float32)


def loss(logits, channel, quality=0.5, void_share=0.5, positive_weight=0.75):
  fill = lambda x: tf.broadcast_to(tf.cast(x, tf.float32), (B, N))
  return slot_class.slot_class_cross_entropy(
    tf.constant(logits),
    tf.constant(channel, tf.int32),
    fill(quality),
    fill(void_share),
    positive_weight,
  ).numpy()


def test_agrees_with_the_formula(logits):
  rng = np.random.default_rng(1)
  channel = np.array([[3, -1, 0, -1, 5]] * B)
  quality, void_share = rng.random((2, B, N))
  log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
  expected = np.zeros((B, N))
  for b, n in np.ndindex(B, N):
    if channel[b, n] >= 0:
      expected[b, n] = -0.6 * quality[b, n] * log_p[b, n, channel[b, n]]
    else:
      expected[b, n] = -0.4 * void_share[b, n] * log_p[b, n, C - 1]
  np.testing.assert_allclose(
    loss(logits, channel, quality, void_share, 0.6),
    expected.mean(1),
    rtol=1e-5,
  )


def test_the_weight_of_unmatched_slots_rises_with_their_share_of_void(logits):
  nothing = np.full((B, N), -1)
  low, high = (loss(logits, nothing, void_share=x) for x in (0.1, 0.9))
  np.testing.assert_allclose(high, 9 * low, rtol=1e-5)


def test_no_slot_leaves_the_mean(logits):
  channel = np.array([[3, -1, 0, -1, 5]] * B)
  only_matched = loss(logits, channel, void_share=0.0)
  entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(
    np.where(channel < 0, C - 1, channel), logits
  ).numpy()
  expected = np.where(channel < 0, 0.25e-5, 0.375) * entropy
  np.testing.assert_allclose(only_matched, expected.sum(1) / N, rtol=1e-5)


def test_weights_have_no_gradient(logits):
  weight = tf.ones((B, N))
  with tf.GradientTape() as tape:
    tape.watch(weight)
    value = slot_class.slot_class_cross_entropy(
      logits, tf.zeros((B, N), tf.int32), weight, weight
    )
  assert tape.gradient(value, weight) is None
