"""Tests of the auxiliary semantic loss."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import semantic_cross_entropy

B, P, C = 2, 11, 5


@pytest.mark.parametrize("ignore_label", [0, 4, 255])
def test_agrees_with_tensorflow_but_for_void(ignore_label):
  rng = np.random.default_rng(0)
  logits = rng.standard_normal((B, P, C)).astype(np.float32)
  label = rng.integers(0, C, (B, P)).astype(np.int32)
  label[:, ::3] = ignore_label
  weight = rng.uniform(1.0, 3.0, (B, P)).astype(np.float32)
  known = label != ignore_label
  expected = tf.nn.sparse_softmax_cross_entropy_with_logits(
    np.where(known, label, 0), logits
  )
  value = semantic_cross_entropy.semantic_cross_entropy(
    tf.constant(logits), tf.constant(label), tf.constant(weight), ignore_label
  )
  np.testing.assert_allclose(
    value, np.where(known, weight * expected, 0.0), rtol=1e-5
  )


def test_a_label_that_is_no_class_is_void():
  value = semantic_cross_entropy.semantic_cross_entropy(
    tf.zeros((1, 3, C)), tf.constant([[C, -1, 2]]), tf.ones((1, 3)), 255
  )
  np.testing.assert_allclose(value, [[0.0, 0.0, np.log(C)]], rtol=1e-6)
