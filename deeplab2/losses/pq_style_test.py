"""Tests of the PQ-style loss and its matching."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import (
  mask_targets,
  pq_style,
  random_scenes,
  slot_class,
  softmax,
)
from deeplab2.losses.random_scenes import BATCH, LAYOUT, SLOTS


def flat(maps):
  return tf.constant(maps.reshape(len(maps), -1, maps.shape[-1]))


def make_scene(seed=0, **kwargs):
  prediction = random_scenes.random_prediction(seed)
  targets = random_scenes.random_targets(seed, **kwargs)
  logits = flat(prediction.mask_logits)
  targets = mask_targets.mask_targets(targets, LAYOUT)
  probability = softmax.softmax(logits)
  areas = pq_style.slot_areas(logits, probability, targets)
  return logits, probability, prediction.class_logits, areas, targets


def best_match(*scene):
  return pq_style.match_slots(*scene, "host")


def test_areas_of_all_kinds_make_up_the_image():
  _, probability, _, areas, targets = make_scene()
  np.testing.assert_allclose(sum(areas), probability.numpy().sum(1), rtol=1e-5)
  crowd = (targets.labelled & (targets.mask_id < 0)).numpy()
  np.testing.assert_allclose(
    areas.on_crowd, (probability.numpy() * crowd[..., None]).sum(1), rtol=1e-5
  )
  np.testing.assert_allclose(
    areas.void_share, areas.on_void / sum(areas), rtol=1e-4
  )


def test_perfect_slots_are_found_wherever_they_are():
  *_, targets = make_scene()
  masks = targets.masks.numpy()
  count = masks.shape[2]
  order = np.random.default_rng(0).permutation(SLOTS)[:count]
  probability = np.zeros((*masks.shape[:2], SLOTS), np.float32)
  probability[:, :, order] = masks
  class_logits = np.zeros((BATCH, SLOTS, LAYOUT.num_channels), np.float32)
  channel = targets.channel.numpy()
  for b, k in np.ndindex(BATCH, count):
    class_logits[b, order[k], channel[b, k]] = 30.0
  area = tf.constant(probability.sum(1))
  areas = pq_style.SlotAreas(area, tf.zeros_like(area), tf.zeros_like(area))
  match = best_match(probability, areas, class_logits, targets)
  present = targets.present.numpy()
  np.testing.assert_array_equal(match.slot, np.where(present, order, -1))
  np.testing.assert_allclose(match.dice, present, atol=1e-5)
  np.testing.assert_allclose(match.class_probability, present, atol=1e-5)


def test_matched_pairs_carry_their_own_dice_and_probability():
  _, probability, class_logits, areas, targets = make_scene()
  match = best_match(probability, areas, class_logits, targets)
  class_probability = tf.nn.softmax(class_logits).numpy()
  for b, k in np.argwhere(targets.present):
    n = match.slot[b, k].numpy()
    p = probability[b, :, n].numpy() * targets.labelled[b].numpy()
    mask = targets.masks[b, :, k].numpy()
    dice = 2 * np.sum(p * mask) / (p.sum() + mask.sum())
    np.testing.assert_allclose(match.dice[b, k], dice, rtol=1e-4)
    np.testing.assert_allclose(
      match.class_probability[b, k],
      class_probability[b, n, targets.channel[b, k]],
      rtol=1e-5,
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_mask_term_sums_weighted_dice_over_the_matched_masks(seed):
  _, probability, class_logits, areas, targets = make_scene(seed)
  match = best_match(probability, areas, class_logits, targets)
  has_mask = targets.has_mask.numpy()
  expected = np.zeros(BATCH)
  own = np.ones(has_mask.shape, np.float32)
  for b, k in np.argwhere(targets.present):
    p = probability[b, :, match.slot[b, k].numpy()].numpy() * has_mask[b]
    mask = targets.masks[b, :, k].numpy()
    own[b, mask == 1] = p[mask == 1]
    dice = (2 * np.sum(p * mask) + 1) / (p.sum() + mask.sum() + 1)
    expected[b] += match.class_probability[b, k] * (1 - dice)
  value = pq_style.mask_term(tf.constant(own), areas, targets, match)
  np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_class_term_gives_slots_the_class_and_dice_of_their_mask():
  _, probability, class_logits, areas, targets = make_scene()
  match = best_match(probability, areas, class_logits, targets)
  value = pq_style.class_term(class_logits, areas, targets, match, 0.75)
  log_p = tf.nn.log_softmax(class_logits).numpy()
  void_share = np.maximum(areas.void_share, slot_class.MIN_WEIGHT)
  loss = -0.25 * void_share * log_p[:, :, -1]
  for b, k in np.argwhere(targets.present):
    n = match.slot[b, k].numpy()
    dice = np.maximum(match.dice[b, k], slot_class.MIN_WEIGHT)
    loss[b, n] = -0.75 * dice * log_p[b, n, targets.channel[b, k]]
  np.testing.assert_allclose(value, loss.mean(1), rtol=1e-4)


def test_without_masks_the_mask_term_is_zero():
  _, probability, class_logits, areas, targets = make_scene(
    things=0, stuff=False, crowd=False
  )
  match = best_match(probability, areas, class_logits, targets)
  own = tf.ones(targets.mask_id.shape)
  np.testing.assert_array_equal(match.slot, -1)
  np.testing.assert_array_equal(
    pq_style.mask_term(own, areas, targets, match), 0.0
  )
