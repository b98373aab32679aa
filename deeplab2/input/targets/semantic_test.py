"""Tests of semantic classes and panoptic truth."""

import numpy as np
import tensorflow as tf

from deeplab2.input.targets.semantic import panoptic_truth, semantic_classes
from deeplab2.input.testing import DISC, SEA, TOY, VOID

IDS = tf.constant(
  [DISC * 32 + 3, DISC * 32, SEA * 32, VOID, VOID * 32 + 7], tf.int32
)


def test_a_crowd_keeps_its_class():
  np.testing.assert_array_equal(
    semantic_classes(IDS, TOY.layout), (DISC, DISC, SEA, VOID, VOID)
  )


def test_all_that_is_void_has_one_id_crowds_among_it():
  np.testing.assert_array_equal(
    panoptic_truth(IDS, TOY.layout), (DISC * 32 + 3, 0, SEA * 32, 0, 0)
  )


def test_void_may_lie_outside_the_classes():
  layout = TOY.layout
  layout = type(layout)(layout.thing_ids, (0, *layout.stuff_ids), 255, 32)
  ids = tf.constant([255 * 32 + 4, DISC * 32, 0], tf.int32)
  np.testing.assert_array_equal(
    panoptic_truth(ids, layout), (255 * 32, 255 * 32, 0)
  )
