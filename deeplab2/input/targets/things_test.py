"""Tests of the numbers of things."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.input.segments import Segments
from deeplab2.input.targets.things import number_things
from deeplab2.input.testing import DISC, SKY, STAR, TOY, VOID

IDS = [STAR * 32 + 9, SKY * 32, DISC * 32 + 1, DISC * 32, VOID, DISC * 32 + 4]


def numbered(areas, max_things):
  segments = Segments(
    tf.constant(IDS, tf.int32), tf.constant(areas), tf.zeros([1, 1], tf.int32)
  )
  return number_things(segments, TOY.layout, max_things)


def test_things_are_numbered_as_they_appear():
  things = numbered([1, 9, 2, 9, 9, 3], max_things=5)
  np.testing.assert_array_equal(things.number, (0, -1, 1, -1, -1, 2))
  np.testing.assert_array_equal(things.classes, (STAR, DISC, DISC, -1, -1))


@pytest.mark.parametrize(
  ("areas", "number", "classes"),
  [
    ((1, 9, 2, 9, 9, 3), (-1, -1, 0, -1, -1, 1), (DISC, DISC)),
    ((7, 9, 2, 9, 9, 3), (0, -1, -1, -1, -1, 1), (STAR, DISC)),
    ((5, 9, 5, 9, 9, 5), (0, -1, 1, -1, -1, -1), (STAR, DISC)),
  ],
)
def test_of_too_many_things_the_largest_are_counted(areas, number, classes):
  things = numbered(areas, max_things=2)
  np.testing.assert_array_equal(things.number, number)
  np.testing.assert_array_equal(things.classes, classes)


def test_no_thing_at_all():
  segments = Segments(
    tf.constant([SKY * 32]), tf.constant([3]), tf.zeros([1, 1], tf.int32)
  )
  things = number_things(segments, TOY.layout, 3)
  np.testing.assert_array_equal(things.number, [-1])
  np.testing.assert_array_equal(things.classes, (-1, -1, -1))
