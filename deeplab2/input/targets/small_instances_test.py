"""Tests of the weights of small instances."""

import numpy as np
import tensorflow as tf

from deeplab2.input.segments import Segments
from deeplab2.input.targets.small_instances import (
  SmallInstances,
  semantic_weights,
)
from deeplab2.input.testing import DISC, SKY, STAR, TOY, VOID

SEGMENTS = Segments(
  ids=tf.constant(
    [DISC * 32 + 1, STAR * 32 + 1, DISC * 32, SKY * 32, VOID], tf.int32
  ),
  area=tf.constant([10, 11, 2, 3, 4]),
  index=tf.zeros([1, 1], tf.int32),
)


def test_only_instances_below_the_area_weigh_more():
  weights = semantic_weights(SEGMENTS, TOY.layout, SmallInstances(11, 3.0))
  np.testing.assert_array_equal(weights, (3, 1, 1, 1, 1))
  assert weights.dtype == tf.float32


def test_nothing_is_small_by_default():
  weights = semantic_weights(SEGMENTS, TOY.layout, SmallInstances())
  np.testing.assert_array_equal(weights, np.ones(5))
