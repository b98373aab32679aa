"""Tests of segments."""

import numpy as np
import tensorflow as tf

from deeplab2.input.segments import (
  find_segments,
  is_crowd,
  is_instance,
  is_one_of,
)
from deeplab2.input.testing import DISC, SKY, TOY, VOID, random_panoptic


def test_segments_come_in_order_of_first_appearance():
  segments = find_segments(tf.constant([[7, 7, 3], [3, 5, 7]]))
  np.testing.assert_array_equal(segments.ids, (7, 3, 5))
  np.testing.assert_array_equal(segments.area, (3, 2, 1))
  np.testing.assert_array_equal(segments.index, [[0, 0, 1], [1, 2, 0]])


def test_spreading_the_ids_gives_the_map_back():
  panoptic = random_panoptic(29, 41)
  segments = find_segments(tf.constant(panoptic))
  np.testing.assert_array_equal(segments.spread(segments.ids), panoptic)
  strided = segments.strided(4)
  np.testing.assert_array_equal(
    strided.spread(segments.ids), panoptic[::4, ::4]
  )
  assert np.sum(strided.area) == panoptic.size


def test_kinds_of_ids():
  ids = tf.constant(
    [VOID, SKY * 32, DISC * 32, DISC * 32 + 1, VOID * 32 + 5], tf.int32
  )
  layout = TOY.layout
  np.testing.assert_array_equal(
    is_instance(ids, layout), (False, False, False, True, False)
  )
  np.testing.assert_array_equal(
    is_crowd(ids, layout), (False, False, True, False, False)
  )


def test_nothing_is_one_of_no_choices():
  assert not np.any(is_one_of(tf.constant([0, 1]), ()))
