"""Tests of cropping and padding."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.input.testing import eagerly_and_in_map, traced_sample
from deeplab2.input.transforms.crop_and_pad import (
  IMAGE_FILL,
  crop_and_pad,
  random_corner,
)

VOID = -7  # no pixel of a traced sample


@pytest.mark.parametrize("size", [(23, 31), (11, 37), (7, 13)])
@pytest.mark.parametrize("seed", range(3))
def test_image_and_label_show_the_same_place(size, seed):
  crop_size = (17, 19)
  sample = traced_sample(*size)
  corner = random_corner(tf.constant(size), crop_size, tf.constant([seed, 1]))
  for result in eagerly_and_in_map(
    lambda sample: crop_and_pad(sample, crop_size, corner, VOID), sample
  ):
    assert result.image.shape == (*crop_size, 3)
    assert result.panoptic.shape == crop_size
    inside = result.panoptic.numpy() != VOID
    visible = np.minimum(size, crop_size)
    assert inside.sum() == visible.prod()
    row, column, one = np.moveaxis(result.image.numpy(), -1, 0)
    np.testing.assert_array_equal(
      (row * size[1] + column)[inside], result.panoptic.numpy()[inside]
    )
    np.testing.assert_array_equal(one == 1, inside)
    np.testing.assert_array_equal(result.image.numpy()[~inside], IMAGE_FILL)


def test_corner_zero_pads_below_and_on_the_right():
  result = crop_and_pad(
    traced_sample(3, 5), (7, 11), tf.constant([0, 0]), VOID
  ).panoptic.numpy()
  np.testing.assert_array_equal(result[:3, :5], np.arange(15).reshape(3, 5))
  assert (result[3:] == VOID).all()
  assert (result[:, 5:] == VOID).all()


def test_every_place_is_drawn_and_no_other():
  corners = [
    random_corner(tf.constant([5, 3]), (3, 5), tf.constant([1, i])).numpy()
    for i in range(200)
  ]
  places, counts = np.unique(corners, axis=0, return_counts=True)
  expected = [(y, x) for y in (0, 1, 2) for x in (-2, -1, 0)]
  np.testing.assert_array_equal(places, expected)
  assert counts.min() > 8


def test_equal_sizes_leave_one_place():
  corner = random_corner(tf.constant([5, 7]), (5, 7), tf.constant([1, 2]))
  np.testing.assert_array_equal(corner, (0, 0))
