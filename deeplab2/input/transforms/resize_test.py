"""Tests of resizing; numbers come from the original (commit 64bc1c1a)."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.input.testing import eagerly_and_in_map, ramp_image
from deeplab2.input.transforms.resize import resize, scaled_size, size_in_range
from deeplab2.structures import Sample

# (min, max, factor): size of a 427 x 640, 97 x 61, 1200 x 1600 image.
RECORDED = {
  ((641, 641), (641, 641), None): ((428, 641), (641, 403), (481, 641)),
  ((641, 641), (1025, 2049), 16): ((641, 961), (1025, 641), (641, 865)),
  (None, (641, 641), None): ((427, 640), (97, 61), (480, 641)),
  ((1025, 1025), (1025, 1025), 32): ((705, 1025), (1025, 673), (769, 1025)),
  (None, None, 16): ((433, 641), (97, 65), (1201, 1601)),
  ((129, 257), None, None): ((171, 257), (408, 257), (192, 257)),
}


@pytest.mark.parametrize("limits", RECORDED)
def test_sizes_are_those_of_the_original(limits):
  sizes = [(427, 640), (97, 61), (1200, 1600)]
  for size, expected in zip(sizes, RECORDED[limits], strict=True):
    result = size_in_range(tf.constant(size), *limits)
    np.testing.assert_array_equal(result, expected)


def test_a_thin_image_keeps_a_pixel():
  result = size_in_range(tf.constant([1, 5000]), (641, 641), (641, 641))
  np.testing.assert_array_equal(result, (1, 641))


def test_scaled_size_is_cut_to_pixels_and_never_empty():
  size = scaled_size(tf.constant([3, 641]), tf.constant(0.3))
  np.testing.assert_array_equal(size, (1, 192))


@pytest.mark.parametrize("seed", range(5))
def test_size_lies_in_the_range_and_fits_the_factor(seed):
  size = np.random.default_rng(seed).integers(20, 2000, 2)
  result = size_in_range(
    tf.constant(size, tf.int32), (97, 97), (257, 161), factor=16
  ).numpy()
  assert (result <= (257, 161)).all()
  assert ((result - 1) % 16 == 0).all()


@pytest.mark.parametrize(
  ("size", "pixel", "total", "label", "label_total"),
  [
    ((19, 27), (202, 252, 46), 198318.0, 1014, 936738),
    ((74, 106), (104.59178, 154.59178, 204.59178), 2999703.187, 203, 14323144),
    ((61, 41), (59.999985, 109.999985, 159.99998), 956604.7228, 309, 4566948),
  ],
)
def test_sampling_is_that_of_the_original(
  size, pixel, total, label, label_total
):
  numbers = np.arange(37)[:, None] * 100 + np.arange(53)
  sample = Sample(
    ramp_image(37, 53).astype(np.float32), numbers.astype(np.int32)
  )
  for result in eagerly_and_in_map(
    lambda sample: resize(sample, tf.constant(size)), sample
  ):
    assert result.image.shape == (*size, 3)
    np.testing.assert_allclose(result.image[5, 7], pixel, rtol=1e-6)
    assert np.sum(result.image, dtype=np.float64) == pytest.approx(total)
    assert result.panoptic[5, 7] == label
    assert np.sum(result.panoptic) == label_total
    assert result.panoptic.dtype == tf.int32


def test_corners_stay_and_no_id_is_new():
  panoptic = np.random.default_rng(3).integers(0, 2**30, (23, 31), np.int32)
  sample = Sample(tf.zeros([23, 31, 3]), tf.constant(panoptic))
  result = resize(sample, tf.constant([41, 17])).panoptic.numpy()
  assert np.isin(result, panoptic).all()
  np.testing.assert_array_equal(
    result[[0, 0, -1, -1], [0, -1, 0, -1]],
    panoptic[[0, 0, -1, -1], [0, -1, 0, -1]],
  )


def test_same_size_changes_nothing():
  sample = Sample(
    tf.cast(ramp_image(23, 31), tf.float32), tf.ones([23, 31], tf.int32)
  )
  result = resize(sample, tf.constant([23, 31]))
  np.testing.assert_array_equal(result.image, sample.image)
