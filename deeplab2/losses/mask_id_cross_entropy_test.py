"""Tests of the mask-ID cross entropy."""

import numpy as np
import tensorflow as tf

from deeplab2.losses import mask_id_cross_entropy, softmax

B, P, K, N = 2, 13, 3, 5


def random_logits():
  return np.random.default_rng(0).standard_normal((B, P, N)).astype(np.float32)


def loss(logits, slot_of_mask, mask_id):
  logits = tf.constant(logits)
  return mask_id_cross_entropy.mask_id_cross_entropy(
    logits,
    softmax.softmax(logits),
    tf.constant(slot_of_mask, tf.int32),
    tf.constant(mask_id, tf.int32),
  ).numpy()


def test_each_pixel_learns_the_slot_of_its_mask():
  logits = random_logits()
  slot_of_mask = np.array([[4, 0, 2], [1, 3, 0]])
  mask_id = np.random.default_rng(1).integers(0, K, (B, P))
  expected = tf.nn.sparse_softmax_cross_entropy_with_logits(
    np.take_along_axis(slot_of_mask, mask_id, 1), logits
  )
  np.testing.assert_allclose(
    loss(logits, slot_of_mask, mask_id), expected, rtol=1e-5
  )


def test_pixels_without_a_mask_and_masks_without_a_slot_are_left_out():
  slot_of_mask = np.array([[4, -1, 2]] * B)
  mask_id = np.array([([0, 1, 2, -1] * P)[:P]] * B)
  value = loss(random_logits(), slot_of_mask, mask_id)
  left_out = (mask_id == 1) | (mask_id == -1)
  assert (value[left_out] == 0).all() and (value[~left_out] > 0).all()
