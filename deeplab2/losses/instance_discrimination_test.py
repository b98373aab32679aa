"""Tests of both forms of the instance discrimination."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import (
  instance_discrimination,
  mask_targets,
  random_scenes,
  sampling,
)
from deeplab2.losses.random_scenes import BATCH, LAYOUT

TEMPERATURE = 0.3


@pytest.fixture
def scene():
  """Features and masks of a batch: b p d, MaskTargets."""
  targets = mask_targets.mask_targets(random_scenes.random_targets(0), LAYOUT)
  features = random_scenes.random_prediction(0).pixel_features
  return features.reshape(BATCH, -1, features.shape[-1]), targets


def cross_entropy(logits, truth):
  """numpy, one distribution: c, c -> scalar."""
  log_p = logits - np.log(np.exp(logits).sum())
  return -np.sum(truth * log_p)


def test_pixels_choose_among_the_mean_features_of_masks(scene):
  features, targets = scene
  value = instance_discrimination.mask_discrimination(
    tf.constant(features), targets, TEMPERATURE
  ).numpy()
  mask_id, is_thing = targets.mask_id.numpy(), targets.is_thing.numpy()
  for b in range(BATCH):
    masks = np.flatnonzero(targets.present[b])
    means = np.stack([features[b][mask_id[b] == k].mean(0) for k in masks])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    for p in range(features.shape[1]):
      expected = 0.0
      if is_thing[b, p]:
        expected = cross_entropy(
          means @ features[b, p] / TEMPERATURE, masks == mask_id[b, p]
        )
      np.testing.assert_allclose(value[b, p], expected, rtol=1e-4, atol=1e-6)


def sampled(features, targets, pixels, seed=0):
  return instance_discrimination.pixel_discrimination(
    tf.constant(features),
    targets,
    sampling.PixelSampling(pixels=pixels, temperature=0.6),
    (seed, 0),
    TEMPERATURE,
  ).numpy()


def test_sampled_pixels_are_compared_with_each_other(scene):
  features, targets = scene
  value = sampled(features, targets, features.shape[1])
  mask_id = targets.mask_id.numpy()
  for b in range(BATCH):
    expected = []
    for p, mask in enumerate(mask_id[b]):
      same = mask_id[b] == mask
      logits = features[b] @ features[b, p] / TEMPERATURE
      expected.append(cross_entropy(logits, same / same.sum()))
    expected = np.where(mask_id[b] >= 0, expected, 0.0)
    np.testing.assert_allclose(sorted(value[b]), sorted(expected), rtol=1e-4)


def test_samples_lie_on_masks_while_there_are_any(scene):
  features, targets = scene
  on_masks = int(targets.has_mask.numpy().sum(1).min())
  assert (sampled(features, targets, on_masks) > 0).all()


def test_features_apart_by_mask_lose_less(scene):
  features, targets = scene
  ideal = targets.masks.numpy()
  for form in (
    lambda f: instance_discrimination.mask_discrimination(f, targets).numpy(),
    lambda f: sampled(f, targets, 61),
  ):
    assert form(ideal).sum() < form(features).sum()


@pytest.mark.parametrize("stuff", [False, True])
def test_an_image_without_things_has_no_loss_and_no_gradient(stuff):
  targets = mask_targets.mask_targets(
    random_scenes.random_targets(things=0, stuff=stuff, crowd=False), LAYOUT
  )
  features = tf.zeros((BATCH, targets.mask_id.shape[1], 5))
  with tf.GradientTape() as tape:
    tape.watch(features)
    value = instance_discrimination.mask_discrimination(features, targets)
  np.testing.assert_array_equal(value, 0.0)
  np.testing.assert_array_equal(tape.gradient(value, features), 0.0)
