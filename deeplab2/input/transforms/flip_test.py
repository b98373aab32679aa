"""Tests of mirroring."""

import numpy as np
import tensorflow as tf

from deeplab2.input.testing import eagerly_and_in_map, traced_sample
from deeplab2.input.transforms.flip import flip, random_flip


def test_columns_are_reversed_in_image_and_label():
  sample = traced_sample(5, 7)
  for result in eagerly_and_in_map(flip, sample):
    np.testing.assert_array_equal(result.image, sample.image.numpy()[:, ::-1])
    np.testing.assert_array_equal(
      result.panoptic, sample.panoptic.numpy()[:, ::-1]
    )


def test_twice_is_the_identity():
  sample = traced_sample(5, 7)
  twice = flip(flip(sample))
  np.testing.assert_array_equal(twice.image, sample.image)
  np.testing.assert_array_equal(twice.panoptic, sample.panoptic)


def test_seed_decides_eagerly_and_in_a_map():
  sample = traced_sample(3, 5)
  for i in range(3):
    eager, mapped = eagerly_and_in_map(
      lambda sample, i=i: random_flip(sample, tf.constant([11, i])), sample
    )
    np.testing.assert_array_equal(eager.panoptic, mapped.panoptic)


def test_about_half_are_mirrored_and_always_whole():
  sample = traced_sample(3, 5)
  mirrored = 0
  for i in range(100):
    result = random_flip(sample, tf.constant([11, i]))
    is_mirrored = result.panoptic.numpy()[0, 0] == 4
    expected = flip(sample) if is_mirrored else sample
    np.testing.assert_array_equal(result.image, expected.image)
    np.testing.assert_array_equal(result.panoptic, expected.panoptic)
    mirrored += is_mirrored
  assert 35 <= mirrored <= 65
