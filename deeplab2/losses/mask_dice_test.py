"""Tests of Dice, as a similarity and as a loss."""

import numpy as np
import tensorflow as tf

from deeplab2.losses import mask_dice

B, P, K, N = 2, 13, 3, 5


def random_masks(seed, count):
  label = np.random.default_rng(seed).integers(0, count, (B, P))
  return np.eye(count, dtype=np.float32)[label]


def test_similarity_is_one_for_equal_masks_and_zero_for_disjoint_ones():
  masks = random_masks(0, K)
  dice = mask_dice.dice_similarity(masks, masks, masks.sum(1))
  np.testing.assert_allclose(dice, np.stack([np.eye(K)] * B), atol=1e-5)


def test_similarity_agrees_with_the_formula():
  masks = random_masks(1, K)
  probability = tf.nn.softmax(
    np.random.default_rng(2).standard_normal((B, P, N))
  ).numpy()
  counts = np.random.default_rng(3).random((B, P)) < 0.7
  area = np.einsum("bp,bpn->bn", counts, probability)
  dice = mask_dice.dice_similarity(
    masks, probability.astype(np.float32), area.astype(np.float32)
  )
  for b, k, n in np.ndindex(B, K, N):
    overlap = np.sum(masks[b, :, k] * probability[b, :, n])
    total = masks[b, :, k].sum() + probability[b, counts[b], n].sum()
    np.testing.assert_allclose(dice[b, k, n], 2 * overlap / total, rtol=1e-4)


def test_a_mask_without_pixels_is_like_nothing():
  masks = np.zeros((B, P, K), np.float32)
  probability = random_masks(0, N)
  dice = mask_dice.dice_similarity(masks, probability, probability.sum(1))
  np.testing.assert_array_equal(dice, 0.0)


def test_loss_is_zero_for_equal_binary_masks_empty_ones_included():
  area = np.array([[0.0, 1.0, 100.0]], np.float32)
  np.testing.assert_allclose(mask_dice.mask_dice(area, area, area), 0.0)


def test_loss_nears_one_for_large_disjoint_masks():
  loss = mask_dice.mask_dice(0.0, 5000.0, 5000.0)
  np.testing.assert_allclose(loss, 1.0, atol=2e-4)


def test_loss_falls_with_overlap_and_rises_with_predicted_area():
  base = mask_dice.mask_dice(5.0, 10.0, 10.0)
  assert mask_dice.mask_dice(6.0, 10.0, 10.0) < base
  assert mask_dice.mask_dice(5.0, 11.0, 10.0) > base
