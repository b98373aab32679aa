"""Tests of pixel sampling."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import sampling

BATCH, PIXELS = 3, 31


def draw(pixels, *, temperature=1.0, seed=0, area=None, candidate=None):
  area = np.ones((BATCH, PIXELS), np.float32) if area is None else area
  if candidate is None:
    candidate = np.ones_like(area, bool)
  return sampling.sample_pixels(
    sampling.PixelSampling(pixels=pixels, temperature=temperature),
    tf.constant(area),
    tf.constant(candidate),
    (seed, 0),
  ).numpy()


def test_no_pixel_is_drawn_twice():
  for row in draw(13):
    assert len(set(row)) == 13
    assert set(row) <= set(range(PIXELS))


def test_a_small_image_gives_all_its_pixels():
  for row in draw(1000):
    assert sorted(row) == list(range(PIXELS))


def test_pixels_follow_from_the_seed():
  np.testing.assert_array_equal(draw(13, seed=5), draw(13, seed=5))
  assert (draw(13, seed=5) != draw(13, seed=6)).any()


def test_images_of_a_batch_are_drawn_apart():
  first, second, _ = draw(13)
  assert (first != second).any()


def test_candidates_come_first():
  candidate = np.zeros((BATCH, PIXELS), bool)
  candidate[:, 7:18] = True
  index = draw(17, candidate=candidate)
  for row in index:
    assert set(row[:11]) == set(range(7, 18))


@pytest.mark.parametrize("temperature, share", [(0.0, 0.1), (1.0, 0.5)])
def test_regions_are_drawn_by_area_to_the_minus_temperature(temperature, share):
  # A region of 10 % of the pixels; with the temperature one it gets half.
  pixels = 20000
  area = np.full((1, pixels), 0.9 * pixels, np.float32)
  area[:, : pixels // 10] = 0.1 * pixels
  index = draw(500, temperature=temperature, area=area)
  np.testing.assert_allclose(np.mean(index < pixels // 10), share, atol=0.08)


def test_gather_takes_rows_of_each_image():
  values = np.arange(2 * 5 * 3).reshape(2, 5, 3)
  index = np.array([[4, 0], [1, 1]])
  expected = np.stack([values[0][[4, 0]], values[1][[1, 1]]])
  found = sampling.gather_pixels(tf.constant(values), tf.constant(index))
  np.testing.assert_array_equal(found, expected)


def test_no_samples_at_all_is_refused():
  with pytest.raises(ValueError) as error:
    sampling.PixelSampling(pixels=0, temperature=1.0)
  assert str(error.value) == (
    "pixels: expected at least 1, such as 4096; got 0."
  )
